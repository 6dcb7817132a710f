/*
 * Records what a process does to the files below one folder, and what it sends over sockets, in one order, into a trace.
 * Loaded with LD_PRELOAD. A lock is held around each call and its record, so that the order in the trace is one in which
 * it happened.
 *
 * COUNTERSIGN_TRACE_ROOT: folder whose files are recorded. COUNTERSIGN_TRACE_FILE: the trace. COUNTERSIGN_TRACE_STOP: once
 * there is a file of that name, the process kills itself before its next recorded call, so that no call is without its
 * record. COUNTERSIGN_TRACE_FAIL: once there is a file of that name, syncs of write-ahead logs fail.
 * COUNTERSIGN_TRACE_SYNC_MS: a sync takes so many milliseconds more, as on a slow disk.
 *
 * A record: kind (1 byte), 7 bytes of zeros, handle (8, little-endian), offset (8), length (8), then `length` bytes.
 * A handle names one open file of one process, or the descriptor of a socket. Read by trace.testing.ts.
 *
 * Not recorded: memory maps (SQLite's -shm, which is no durable state) and reads.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind { OPEN = 1, WRITE, TRUNCATE, SYNC, RENAME, UNLINK, MAKE_FOLDER, REMOVE_FOLDER, SYNC_FOLDER, SENT, ALLOCATE };

#define MAX_FILES 65536

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char root[4096];
static size_t root_length;
static const char *stop;
static const char *failing;
static int sync_ms;
static int trace = -1;
/*
 * By descriptor: what was opened there last. The descriptor may have been closed since, and be something else: libuv
 * closes by a bare system call, which nobody can follow. So it is compared each time.
 */
static struct opened {
  int64_t handle; /* > 0: a recorded file; < 0: a folder */
  dev_t device;
  ino_t inode;
  char *path;
} opens[MAX_FILES];
static int64_t last_handle;

static void fail(const char *why) {
  fprintf(stderr, "recorder: %s: %s\n", why, strerror(errno));
  _exit(99);
}

__attribute__((constructor)) static void start(void) {
  const char *folder = getenv("COUNTERSIGN_TRACE_ROOT");
  const char *file = getenv("COUNTERSIGN_TRACE_FILE");
  if (folder == NULL || file == NULL) return;
  snprintf(root, sizeof root, "%s", folder);
  root_length = strlen(root);
  stop = getenv("COUNTERSIGN_TRACE_STOP");
  failing = getenv("COUNTERSIGN_TRACE_FAIL");
  const char *slow = getenv("COUNTERSIGN_TRACE_SYNC_MS");
  sync_ms = slow == NULL ? 0 : atoi(slow);
  last_handle = (int64_t)getpid() << 32;
  trace = syscall(SYS_openat, AT_FDCWD, file, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
  if (trace < 0) fail("cannot open the trace");
}

static void enter(void) {
  pthread_mutex_lock(&lock);
  if (stop == NULL || syscall(SYS_faccessat, AT_FDCWD, stop, F_OK) != 0) return;
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

static void leave(void) { pthread_mutex_unlock(&lock); }

#define REAL(type, name, ...)                                                                                          \
  static type (*real)(__VA_ARGS__);                                                                                    \
  if (real == NULL) real = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

static int is_recorded(const char *path) {
  if (trace < 0 || path == NULL || strncmp(path, root, root_length) != 0) return 0;
  if (path[root_length] != '/' && path[root_length] != '\0') return 0;
  size_t length = strlen(path);
  return length < 4 || strcmp(path + length - 4, "-shm") != 0;
}

/* The handle of what is open at a descriptor, or 0 when it is not recorded. */
static int64_t handle_of(int fd) {
  struct stat stat;
  if (fd < 0 || fd >= MAX_FILES || opens[fd].handle == 0 || fstat(fd, &stat) != 0) return 0;
  return stat.st_dev == opens[fd].device && stat.st_ino == opens[fd].inode ? opens[fd].handle : 0;
}

static int must_fail(int fd) {
  if (failing == NULL || syscall(SYS_faccessat, AT_FDCWD, failing, F_OK) != 0) return 0;
  size_t length = strlen(opens[fd].path);
  return length > 4 && strcmp(opens[fd].path + length - 4, "-wal") == 0;
}

static int is_file(int fd) { return handle_of(fd) > 0; }

static void put(const void *bytes, size_t length) {
  const char *rest = bytes;
  while (length > 0) {
    ssize_t written = syscall(SYS_write, trace, rest, length);
    if (written < 0) fail("cannot write the trace");
    rest += written;
    length -= written;
  }
}

static void head(enum kind kind, int64_t handle, int64_t offset, uint64_t length) {
  unsigned char header[32] = {0};
  header[0] = kind;
  memcpy(header + 8, &handle, 8);
  memcpy(header + 16, &offset, 8);
  memcpy(header + 24, &length, 8);
  put(header, sizeof header);
}

static void record(enum kind kind, int64_t handle, int64_t offset, const void *bytes, size_t length) {
  int saved = errno;
  head(kind, handle, offset, length);
  put(bytes, length);
  errno = saved;
}

static void record_path(enum kind kind, const char *path) { record(kind, 0, 0, path, strlen(path)); }

static void record_parts(enum kind kind, int64_t handle, int64_t offset, const struct iovec *parts, int count,
                         size_t length) {
  int saved = errno;
  head(kind, handle, offset, length);
  for (int i = 0; i < count && length > 0; i++) {
    size_t part = parts[i].iov_len < length ? parts[i].iov_len : length;
    put(parts[i].iov_base, part);
    length -= part;
  }
  errno = saved;
}

/* Opening: offset tells whether the file was emptied. Who only reads changes nothing. */
static int opened(int fd, const char *path, int flags) {
  struct stat stat;
  if (fd < 0) return fd;
  if (fd >= MAX_FILES || fstat(fd, &stat) != 0) fail("cannot follow a file");
  struct opened *opened = &opens[fd];
  free(opened->path);
  *opened = (struct opened){0, stat.st_dev, stat.st_ino, strdup(path)};
  if (S_ISDIR(stat.st_mode)) {
    opened->handle = -1;
  } else if ((flags & O_ACCMODE) != O_RDONLY) {
    opened->handle = ++last_handle;
    record(OPEN, opened->handle, (flags & O_TRUNC) != 0, path, strlen(path));
  }
  return fd;
}

#define OPENING(name)                                                                                                  \
  int name(const char *path, int flags, ...) {                                                                         \
    REAL(int, #name, const char *, int, ...);                                                                          \
    va_list arguments;                                                                                                 \
    va_start(arguments, flags);                                                                                        \
    mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(arguments, mode_t) : 0;                                     \
    va_end(arguments);                                                                                                 \
    if (!is_recorded(path)) return real(path, flags, mode);                                                            \
    enter();                                                                                                           \
    int fd = opened(real(path, flags, mode), path, flags);                                                             \
    leave();                                                                                                           \
    return fd;                                                                                                         \
  }

OPENING(open)
OPENING(open64)

static int is_socket(int fd) {
  struct stat stat;
  return trace >= 0 && fd > 2 && fstat(fd, &stat) == 0 && S_ISSOCK(stat.st_mode);
}

/* Recorded before it is sent: from here on, the peer may have it. */
static void sending(int fd, const struct iovec *parts, int count) {
  size_t length = 0;
  for (int i = 0; i < count; i++) length += parts[i].iov_len;
  enter();
  record_parts(SENT, fd, 0, parts, count, length);
  leave();
}

ssize_t write(int fd, const void *bytes, size_t length) {
  REAL(ssize_t, "write", int, const void *, size_t);
  if (is_file(fd)) {
    enter();
    int64_t offset = lseek(fd, 0, SEEK_CUR);
    ssize_t written = real(fd, bytes, length);
    if (written > 0) record(WRITE, opens[fd].handle, offset, bytes, written);
    leave();
    return written;
  }
  struct iovec part = {(void *)bytes, length};
  if (is_socket(fd)) sending(fd, &part, 1);
  return real(fd, bytes, length);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
  REAL(ssize_t, "writev", int, const struct iovec *, int);
  if (is_file(fd)) {
    enter();
    int64_t offset = lseek(fd, 0, SEEK_CUR);
    ssize_t written = real(fd, parts, count);
    if (written > 0) record_parts(WRITE, opens[fd].handle, offset, parts, count, written);
    leave();
    return written;
  }
  if (is_socket(fd)) sending(fd, parts, count);
  return real(fd, parts, count);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
  REAL(ssize_t, "sendmsg", int, const struct msghdr *, int);
  if (is_socket(fd)) sending(fd, message->msg_iov, message->msg_iovlen);
  return real(fd, message, flags);
}

#define POSITIONED(name, offset_type)                                                                                  \
  ssize_t name(int fd, const void *bytes, size_t length, offset_type offset) {                                         \
    REAL(ssize_t, #name, int, const void *, size_t, offset_type);                                                      \
    if (!is_file(fd)) return real(fd, bytes, length, offset);                                                          \
    enter();                                                                                                           \
    ssize_t written = real(fd, bytes, length, offset);                                                                 \
    if (written > 0) record(WRITE, opens[fd].handle, offset, bytes, written);                                                 \
    leave();                                                                                                           \
    return written;                                                                                                    \
  }

POSITIONED(pwrite, off_t)
POSITIONED(pwrite64, off64_t)

#define POSITIONED_PARTS(name, offset_type)                                                                            \
  ssize_t name(int fd, const struct iovec *parts, int count, offset_type offset) {                                     \
    REAL(ssize_t, #name, int, const struct iovec *, int, offset_type);                                                 \
    if (!is_file(fd)) return real(fd, parts, count, offset);                                                           \
    enter();                                                                                                           \
    ssize_t written = real(fd, parts, count, offset);                                                                  \
    if (written > 0) record_parts(WRITE, opens[fd].handle, offset, parts, count, written);                                    \
    leave();                                                                                                           \
    return written;                                                                                                    \
  }

POSITIONED_PARTS(pwritev, off_t)
POSITIONED_PARTS(pwritev64, off64_t)

#define SYNCING(name)                                                                                                  \
  int name(int fd) {                                                                                                   \
    REAL(int, #name, int);                                                                                             \
    int64_t handle = handle_of(fd);                                                                                    \
    if (handle == 0) return real(fd);                                                                                  \
    if (handle > 0 && must_fail(fd)) {                                                                                 \
      errno = EIO;                                                                                                     \
      return -1;                                                                                                       \
    }                                                                                                                  \
    if (sync_ms > 0) usleep(sync_ms * 1000);                                                                           \
    enter();                                                                                                           \
    int result = real(fd);                                                                                             \
    if (result == 0 && handle > 0) record(SYNC, handle, 0, NULL, 0);                                                   \
    if (result == 0 && handle < 0) record_path(SYNC_FOLDER, opens[fd].path);                                           \
    leave();                                                                                                           \
    return result;                                                                                                     \
  }

SYNCING(fsync)
SYNCING(fdatasync)

#define TRUNCATING(name, offset_type)                                                                                  \
  int name(int fd, offset_type length) {                                                                               \
    REAL(int, #name, int, offset_type);                                                                                \
    if (!is_file(fd)) return real(fd, length);                                                                         \
    enter();                                                                                                           \
    int result = real(fd, length);                                                                                     \
    if (result == 0) record(TRUNCATE, opens[fd].handle, length, NULL, 0);                                                     \
    leave();                                                                                                           \
    return result;                                                                                                     \
  }

TRUNCATING(ftruncate, off_t)
TRUNCATING(ftruncate64, off64_t)

/* What nothing here uses, as far as we know: whoever does it on a recorded file should find out. */
static int unexpected(const char *what) {
  fprintf(stderr, "recorder: %s on a recorded file is not followed\n", what);
  _exit(99);
}

int truncate(const char *path, off_t length) {
  REAL(int, "truncate", const char *, off_t);
  return is_recorded(path) ? unexpected("truncate") : real(path, length);
}

int fallocate(int fd, int mode, off_t offset, off_t length) {
  REAL(int, "fallocate", int, int, off_t, off_t);
  return is_file(fd) ? unexpected("fallocate") : real(fd, mode, offset, length);
}

int posix_fallocate(int fd, off_t offset, off_t length) {
  REAL(int, "posix_fallocate", int, off_t, off_t);
  if (!is_file(fd)) return real(fd, offset, length);
  enter();
  int result = real(fd, offset, length);
  if (result == 0) record(ALLOCATE, opens[fd].handle, offset + length, NULL, 0);
  leave();
  return result;
}

int rename(const char *from, const char *to) {
  REAL(int, "rename", const char *, const char *);
  if (!is_recorded(from) && !is_recorded(to)) return real(from, to);
  enter();
  int result = real(from, to);
  if (result == 0) {
    struct iovec parts[] = {{(void *)from, strlen(from) + 1}, {(void *)to, strlen(to)}};
    record_parts(RENAME, 0, 0, parts, 2, parts[0].iov_len + parts[1].iov_len);
  }
  leave();
  return result;
}

#define REMOVING(name, kind)                                                                                           \
  int name(const char *path) {                                                                                         \
    REAL(int, #name, const char *);                                                                                    \
    if (!is_recorded(path)) return real(path);                                                                         \
    enter();                                                                                                           \
    int result = real(path);                                                                                           \
    if (result == 0) record_path(kind, path);                                                                          \
    leave();                                                                                                           \
    return result;                                                                                                     \
  }

REMOVING(unlink, UNLINK)
REMOVING(rmdir, REMOVE_FOLDER)

int mkdir(const char *path, mode_t mode) {
  REAL(int, "mkdir", const char *, mode_t);
  if (!is_recorded(path)) return real(path, mode);
  enter();
  int result = real(path, mode);
  if (result == 0) record_path(MAKE_FOLDER, path);
  leave();
  return result;
}
