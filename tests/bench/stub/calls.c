/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * System calls as the handler and libtcmu see them.
 *
 * An sg node costs what a transport on hot files can cost at least: write() and read() are one
 * system call each, and in between the fd becomes ready.  It is an eventfd: write() adds to it,
 * which an edge-triggered epoll takes for an event of its own each time, and read() reads the hot
 * file instead.  A kick is one system call, too: it raises the uio fd's event.
 *
 * Not counted: futex(), which pthread_mutex_lock() calls when two threads meet.
 */
#include <assert.h>
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "stub.h"

/* callgrind counts while they take turns, and nothing else. */
#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#else
#define CALLGRIND_START_INSTRUMENTATION
#define CALLGRIND_STOP_INSTRUMENTATION
#endif

#define FDS_MAX	 100000
#define SG_MAJOR 21
#define SD_MAJOR 8

struct calls calls[NR_ROLES], exact_calls[NR_ROLES];
_Thread_local enum role role;

enum fd_kind { FD_REAL, FD_UIO, FD_SG, FD_DISK };

struct known_fd {
	enum fd_kind kind;
	unsigned int number;  /* of the device */
	struct sg_io_hdr hdr; /* the sg node's command */
};

static struct known_fd *fds; /* by the fd */

static const char *root;

void calls_begin(const char *root_dir)
{
	fds = stub_memory(FDS_MAX * sizeof(*fds));
	root = root_dir;
}

static void count(void)
{
	calls[role].others++;
}

static enum fd_kind kind_of(int fd)
{
	return fds && fd >= 0 && fd < FDS_MAX ? fds[fd].kind : FD_REAL;
}

/* --- names --- */

static bool is_played(const char *name)
{
	static const char *const places[] = {"/dev/uio", "/dev/sd",   "/dev/sg",
					     "/sys/",	 "/etc/tcmu", "/var/lib/tcmu-mpath"};

	if (!strcmp(name, "/dev"))
		return true;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (!strncmp(name, places[i], strlen(places[i])))
			return true;
	return false;
}

/* Where @name is found.  The text is the thread's, until the next but one call. */
static const char *place_of(const char *name)
{
	static _Thread_local char text[2][PATH_MAX];
	static _Thread_local unsigned int turn;

	if (!root || !is_played(name))
		return name;
	turn = !turn;
	snprintf(text[turn], sizeof(text[turn]), "%s%s", root, name);
	return text[turn];
}

/* "a" is 0, "z" 25, "aa" 26. */
static unsigned int disk_number(const char *letters)
{
	unsigned int number = 0;

	for (; *letters; letters++)
		number = number * 26 + (unsigned int)(*letters - 'a') + 1;
	return number - 1;
}

/* "/dev/sg1": number 1; disks have letters. */
static enum fd_kind device_of(const char *name, unsigned int *number)
{
	if (sscanf(name, "/dev/uio%u", number) == 1)
		return FD_UIO;
	if (sscanf(name, "/dev/sg%u", number) == 1)
		return FD_SG;
	if (strncmp(name, "/dev/sd", 7))
		return FD_REAL;
	*number = disk_number(name + strlen("/dev/sd"));
	return FD_DISK;
}

static void make_node(struct stat *st, enum fd_kind kind, unsigned int number)
{
	if (kind == FD_SG) {
		st->st_mode = S_IFCHR | 0600;
		st->st_rdev = makedev(SG_MAJOR, number);
	} else if (kind == FD_DISK) {
		st->st_mode = S_IFBLK | 0600;
		st->st_rdev = makedev(SD_MAJOR, number * 16);
	}
}

static int stat_name(const char *name, struct stat *st, int flags)
{
	unsigned int number;
	enum fd_kind kind = device_of(name, &number);

	count();
	if (fstatat(AT_FDCWD, place_of(name), st, flags))
		return -1;
	make_node(st, kind, number);
	return 0;
}

int stat(const char *name, struct stat *st)
{
	return stat_name(name, st, 0);
}

int lstat(const char *name, struct stat *st)
{
	return stat_name(name, st, AT_SYMLINK_NOFOLLOW);
}

int fstat(int fd, struct stat *st)
{
	count();
	if (fstatat(fd, "", st, AT_EMPTY_PATH))
		return -1;
	make_node(st, kind_of(fd), kind_of(fd) == FD_REAL ? 0 : fds[fd].number);
	return 0;
}

int access(const char *name, int mode)
{
	count();
	return faccessat(AT_FDCWD, place_of(name), mode, 0);
}

ssize_t readlink(const char *name, char *text, size_t size)
{
	count();
	return readlinkat(AT_FDCWD, place_of(name), text, size);
}

int mkdir(const char *name, mode_t mode)
{
	count();
	return mkdirat(AT_FDCWD, place_of(name), mode);
}

int unlink(const char *name)
{
	count();
	return unlinkat(AT_FDCWD, place_of(name), 0);
}

int rename(const char *from, const char *to)
{
	count();
	return renameat(AT_FDCWD, place_of(from), AT_FDCWD, place_of(to));
}

#define LIBC(function) ((__typeof__(&function))dlsym(RTLD_NEXT, #function))

char *realpath(const char *name, char *resolved)
{
	return LIBC(realpath)(place_of(name), resolved);
}

DIR *opendir(const char *name)
{
	return LIBC(opendir)(place_of(name));
}

int scandir(const char *name, struct dirent ***entries, int (*filter)(const struct dirent *),
	    int (*compare)(const struct dirent **, const struct dirent **))
{
	return LIBC(scandir)(place_of(name), entries, filter, compare);
}

/* --- open and close --- */

static int remember(int fd, enum fd_kind kind, unsigned int number)
{
	assert(fd >= 0 && fd < FDS_MAX);
	fds[fd].kind = kind;
	fds[fd].number = number;
	return fd;
}

int open(const char *name, int flags, ...)
{
	unsigned int number;
	mode_t mode = 0;
	va_list args;
	int fd;

	va_start(args, flags);
	if (flags & (O_CREAT | __O_TMPFILE))
		mode = va_arg(args, mode_t);
	va_end(args);
	count();
	switch (device_of(name, &number)) {
	case FD_UIO:
		return remember(kernel_event_fd(kernel_dev(number)), FD_UIO, number);
	case FD_SG:
		return remember(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), FD_SG, number);
	case FD_DISK:
		fd = openat(AT_FDCWD, place_of(name), flags & ~O_EXCL, mode);
		return fd < 0 ? fd : remember(fd, FD_DISK, number);
	case FD_REAL:
		break;
	}
	return openat(AT_FDCWD, place_of(name), flags, mode);
}

int close(int fd)
{
	count();
	if (kind_of(fd) != FD_REAL)
		fds[fd].kind = FD_REAL;
	return (int)syscall(SYS_close, fd);
}

/* The handler takes the uio fd, and gives cmdproc another. */
int fcntl(int fd, int what, ...)
{
	va_list args;
	long arg;
	int got;

	va_start(args, what);
	arg = va_arg(args, long);
	va_end(args);
	count();
	got = (int)syscall(SYS_fcntl, fd, what, arg);
	if (what == F_DUPFD_CLOEXEC && got >= 0 && kind_of(fd) != FD_REAL)
		remember(got, fds[fd].kind, fds[fd].number);
	return got;
}

int dup3(int from, int to, int flags)
{
	count();
	if (kind_of(to) != FD_REAL)
		fds[to].kind = FD_REAL;
	return (int)syscall(SYS_dup3, from, to, flags);
}

/* For libraries that are built for large files. */
int fcntl64(int fd, int what, ...) __attribute__((alias("fcntl")));
int open64(const char *name, int flags, ...) __attribute__((alias("open")));
int stat64(const char *name, struct stat64 *st) __attribute__((alias("stat")));
int lstat64(const char *name, struct stat64 *st) __attribute__((alias("lstat")));
int fstat64(int fd, struct stat64 *st) __attribute__((alias("fstat")));

void *mmap(void *address, size_t len, int protection, int flags, int fd, off_t offset)
{
	size_t kernel_len;

	if (kind_of(fd) == FD_UIO)
		return kernel_memory(kernel_dev(fds[fd].number), &kernel_len);
	return (void *)syscall(SYS_mmap, address, len, protection, flags, fd, offset);
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	count();
	if (kind_of(fd) != FD_SG)
		return (int)syscall(SYS_ioctl, fd, request, arg);
	if (request == SG_SET_RESERVED_SIZE)
		return 0;
	if (request == SG_GET_SCSI_ID) {
		*(struct sg_scsi_id *)arg = (struct sg_scsi_id){.host_no = (int)fds[fd].number};
		return 0;
	}
	errno = ENOTTY;
	return -1;
}

/* --- the calls that each command needs --- */

ssize_t write(int fd, const void *data, size_t len)
{
	const uint64_t one = 1;

	switch (kind_of(fd)) {
	case FD_SG:
		calls[role].transport++;
		assert(len == sizeof(fds[fd].hdr));
		memcpy(&fds[fd].hdr, data, len);
		syscall(SYS_write, fd, &one, sizeof(one));
		return (ssize_t)len;
	case FD_UIO:
		count();
		kernel_kick(kernel_dev(fds[fd].number));
		return (ssize_t)len;
	case FD_REAL:
	case FD_DISK:
		break;
	}
	count();
	return syscall(SYS_write, fd, data, len);
}

ssize_t read(int fd, void *data, size_t len)
{
	uint64_t nr;

	switch (kind_of(fd)) {
	case FD_SG:
		calls[role].transport++;
		assert(len == sizeof(fds[fd].hdr));
		disk_answer(fds[fd].number, &fds[fd].hdr);
		memcpy(data, &fds[fd].hdr, len);
		return (ssize_t)len;
	case FD_UIO:
		count();
		return syscall(SYS_read, fd, &nr, sizeof(nr)) < 0 ? -1 : (ssize_t)len;
	case FD_REAL:
	case FD_DISK:
		break;
	}
	count();
	return syscall(SYS_read, fd, data, len);
}

int eventfd_write(int fd, eventfd_t value)
{
	count();
	return syscall(SYS_write, fd, &value, sizeof(value)) < 0 ? -1 : 0;
}

/* All is on one CPU; so there is one loop. */
long sysconf(int name)
{
	return name == _SC_NPROCESSORS_ONLN ? 1 : LIBC(sysconf)(name);
}

int poll(struct pollfd *wanted, nfds_t nr, int timeout)
{
	count();
	return (int)syscall(SYS_poll, wanted, nr, timeout);
}

int epoll_ctl(int fd, int what, int of, struct epoll_event *event)
{
	count();
	return (int)syscall(SYS_epoll_ctl, fd, what, of, event);
}

/* --- exact figures --- */

static atomic_bool exact;
static uint64_t exact_ns;
static atomic_bool clock_stopped;

static void take_time(void)
{
	struct timespec now;

	syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
	exact_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void clock_stop(bool stop)
{
	if (stop)
		take_time();
	atomic_store(&clock_stopped, stop);
}

void exact_begin(void)
{
	if (!atomic_load(&clock_stopped))
		take_time();
	CALLGRIND_START_INSTRUMENTATION;
	atomic_store(&exact, true);
}

void exact_end(void)
{
	if (!atomic_exchange(&exact, false))
		return;
	CALLGRIND_STOP_INSTRUMENTATION;
	memcpy(exact_calls, calls, sizeof(calls));
}

int epoll_wait(int fd, struct epoll_event *events, int max, int timeout)
{
	if (role == ROLE_NONE)
		role = ROLE_LOOP;
	count();
	return (int)syscall(SYS_epoll_wait, fd, events, max, timeout);
}

int clock_gettime(clockid_t clock, struct timespec *ts)
{
	static __typeof__(&clock_gettime) real;
	uint64_t now_ns;

	if (clock != CLOCK_MONOTONIC || !(atomic_load(&exact) || atomic_load(&clock_stopped))) {
		if (!real)
			real = LIBC(clock_gettime);
		return real(clock, ts);
	}
	now_ns = exact_ns += 100; /* slower than the real one */
	ts->tv_sec = (time_t)(now_ns / 1000000000u);
	ts->tv_nsec = (long)(now_ns % 1000000000u);
	return 0;
}

/* --- libtcmu's netlink: nobody ever calls --- */

int genl_connect(void *socket);
int genl_ops_resolve(void *socket, void *ops);
int genl_ctrl_resolve_grp(void *socket, const char *family, const char *group);
int nl_socket_add_membership(void *socket, int group);
int nl_send_sync(void *socket, void *message);

int genl_connect(void *socket)
{
	(void)socket;
	return 0;
}

int genl_ops_resolve(void *socket, void *ops)
{
	(void)socket, (void)ops;
	return 0;
}

int genl_ctrl_resolve_grp(void *socket, const char *family, const char *group)
{
	(void)socket, (void)family, (void)group;
	return 1;
}

int nl_socket_add_membership(void *socket, int group)
{
	(void)socket, (void)group;
	return 0;
}

int nl_send_sync(void *socket, void *message)
{
	(void)socket, (void)message;
	return 0;
}
