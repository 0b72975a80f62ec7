#pragma once
// What the toolchain's Glibc module leaves out: epoll(7), eventfd(2), getrandom(2),
// secure_getenv(3) and pipe2(2).
#ifdef __linux__
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>

// The C library declares them for programs that define _GNU_SOURCE only.
extern char *secure_getenv(const char *name);
extern int pipe2(int ends[2], int flags);
#endif
