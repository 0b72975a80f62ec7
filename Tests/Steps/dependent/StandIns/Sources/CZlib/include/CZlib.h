int stand_in_for_CZlib(void);
