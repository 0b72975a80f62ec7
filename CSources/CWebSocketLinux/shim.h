#pragma once
// What the toolchain's Glibc module leaves out: epoll(7), eventfd(2) and getrandom(2).
#ifdef __linux__
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#endif
