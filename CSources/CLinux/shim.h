#pragma once
// What the toolchain's Glibc module leaves out: eventfd(2) and getrandom(2).
#ifdef __linux__
#include <sys/eventfd.h>
#include <sys/random.h>
#endif
