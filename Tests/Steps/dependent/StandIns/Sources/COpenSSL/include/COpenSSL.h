int stand_in_for_COpenSSL(void);
