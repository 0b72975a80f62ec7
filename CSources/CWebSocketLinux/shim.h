#pragma once
// What the toolchain's Glibc module leaves out: epoll(7), eventfd(2), getrandom(2),
// secure_getenv(3), pipe2(2) and ppoll(2).
#ifdef __linux__
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>

// The C library declares them for programs that define _GNU_SOURCE only.
extern char *secure_getenv(const char *name);
extern int pipe2(int ends[2], int flags);
extern int ppoll(struct pollfd *entries, nfds_t count, const struct timespec *time,
                 const sigset_t *mask);
#endif
