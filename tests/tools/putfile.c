#include "tests/tools/putfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static bool
write_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		data += n;
		len -= (size_t)n;
	}
	return true;
}

bool
putfile_replace(const char *path, const void *data, size_t len, mode_t mode)
{
	char temp[PATH_MAX];
	int fd, n, saved;

	n = snprintf(temp, sizeof temp, "%s.%ld", path, (long)getpid());
	if (n < 0 || (size_t)n >= sizeof temp) {
		errno = ENAMETOOLONG;
		return false;
	}
	fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	if (fd < 0)
		return false;
	if (write_all(fd, data, len) && close(fd) == 0) {
		if (rename(temp, path) == 0)
			return true;
		fd = -1;
	}
	saved = errno;
	if (fd >= 0)
		close(fd);
	unlink(temp);
	errno = saved;
	return false;
}

static char *
read_all(int fd, size_t size, size_t *len_r)
{
	char *data = malloc(size + 1);
	size_t len = 0;
	ssize_t n = 0;

	while (data && len < size) {
		n = read(fd, data + len, size - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	if (!data || n < 0) {
		free(data);
		return NULL;
	}
	data[len] = '\0';
	*len_r = len;
	return data;
}

char *
putfile_read(const char *path, size_t *len_r)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *data = NULL;
	struct stat st;
	int saved;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) == 0)
		data = read_all(fd, (size_t)st.st_size, len_r);
	saved = errno;
	close(fd);
	errno = saved;
	return data;
}
