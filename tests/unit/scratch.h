/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_UNIT_SCRATCH_H
#define TESTS_UNIT_SCRATCH_H

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * A directory for one test program, made new and removed at the end, and
 * files in it by name. A failure here is none of the code under test: the
 * program ends with "Bail out!".
 */

#define SCRATCH __attribute__((unused)) static

SCRATCH char scratch_dir[PATH_MAX];

SCRATCH void scratch_need(bool ok, const char *what)
{
	if (ok)
		return;
	printf("Bail out! %s\n", what);
	exit(99);
}

/* "DIR/NAME"; valid until the fourth call after this one. */
SCRATCH const char *scratch_path(const char *name)
{
	static char paths[4][PATH_MAX];
	static unsigned int turn;
	char *path = paths[turn++ % 4];

	scratch_need(snprintf(path, PATH_MAX, "%s/%s", scratch_dir, name)
		< PATH_MAX, "a path is too long");
	return path;
}

/* Empties a directory, and removes it. */
SCRATCH void scratch_remove(const char *path)
{
	char below[PATH_MAX];
	struct dirent *entry;
	DIR *dir = opendir(path);

	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0
		    || strcmp(entry->d_name, "..") == 0)
			continue;
		scratch_need(snprintf(below, sizeof(below), "%s/%s", path,
			entry->d_name) < PATH_MAX, "a path is too long");
		if (unlink(below) < 0)
			scratch_remove(below);
	}
	if (dir != NULL)
		closedir(dir);
	rmdir(path);
}

/* Makes the directory; call it once, at the beginning. */
SCRATCH void scratch_make(const char *name)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(scratch_dir, sizeof(scratch_dir), "%s/%s.XXXXXX",
		tmp != NULL && tmp[0] != '\0' ? tmp : "/tmp", name);
	scratch_need(mkdtemp(scratch_dir) != NULL, "no temporary directory");
}

SCRATCH void scratch_end(void)
{
	scratch_remove(scratch_dir);
}

/* A directory in it, open. */
SCRATCH int scratch_subdir(const char *name)
{
	int fd;

	mkdir(scratch_path(name), 0700);
	fd = open(scratch_path(name), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	scratch_need(fd >= 0, "cannot make a directory");
	return fd;
}

SCRATCH void scratch_write(const char *name, const void *data, size_t len)
{
	int fd = open(scratch_path(name), O_WRONLY | O_CREAT | O_TRUNC
		| O_CLOEXEC, 0600);

	scratch_need(fd >= 0 && write(fd, data, len) == (ssize_t)len,
		"cannot write a file");
	close(fd);
}

SCRATCH void scratch_append(const char *name, const void *data, size_t len)
{
	int fd = open(scratch_path(name), O_WRONLY | O_CREAT | O_APPEND
		| O_CLOEXEC, 0600);

	scratch_need(fd >= 0 && write(fd, data, len) == (ssize_t)len,
		"cannot append to a file");
	close(fd);
}

/* The whole file, with a NUL behind it; the caller frees it. NULL if there is
 * none. */
SCRATCH char *scratch_read(const char *name, size_t *len_r)
{
	int fd = open(scratch_path(name), O_RDONLY | O_CLOEXEC);
	struct stat st;
	char *data;

	if (fd < 0)
		return NULL;
	scratch_need(fstat(fd, &st) == 0, "cannot look at a file");
	data = malloc((size_t)st.st_size + 1);
	scratch_need(data != NULL && read(fd, data, (size_t)st.st_size)
		== st.st_size, "cannot read a file");
	data[st.st_size] = '\0';
	*len_r = (size_t)st.st_size;
	close(fd);
	return data;
}

SCRATCH bool scratch_exists(const char *name)
{
	struct stat st;

	return lstat(scratch_path(name), &st) == 0;
}

/* Does the file hold exactly these bytes? */
SCRATCH bool scratch_holds(const char *name, const void *data, size_t len)
{
	size_t got = 0;
	char *file = scratch_read(name, &got);
	bool same = file != NULL && got == len
		&& memcmp(file, data, len) == 0;

	free(file);
	return same;
}

/* The number of entries in a directory; the name of the last is put into
 * name_r (NAME_MAX + 1 bytes) unless that is NULL. */
SCRATCH size_t scratch_count(const char *name, char *name_r)
{
	DIR *dir = opendir(scratch_path(name));
	struct dirent *entry;
	size_t n = 0;

	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		n++;
		if (name_r != NULL)
			snprintf(name_r, NAME_MAX + 1, "%s", entry->d_name);
	}
	if (dir != NULL)
		closedir(dir);
	return n;
}

#endif
