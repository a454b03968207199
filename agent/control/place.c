/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/control/place.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/fsx.h"
#include "agent/base/limits.h"
#include "agent/control/peer.h"

/* Whoever makes or replaces a socket holds its folder meanwhile, so that two
 * daemons that start at once do not take each other's away. */
static int lock_folder(const char *path, struct err *err)
{
	const char *slash = strrchr(path, '/');
	char folder[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	struct stat st;
	int dir;

	if (slash == NULL)
		snprintf(folder, sizeof(folder), ".");
	else
		snprintf(folder, sizeof(folder), "%.*s",
			slash == path ? 1 : (int)(slash - path), path);
	dir = stat(folder, &st) == 0 ? fsx_opendir(folder, err)
		: fsx_makedir(folder, err);
	if (dir < 0)
		return -1;
	if (fsx_lock(dir, LIMIT_CONTROL_MS))
		return dir;
	err_sys(err, errno, "cannot lock %s", folder);
	close(dir);
	return -1;
}

static bool refuse_second(int fd, const char *path, struct err *err)
{
	long pid = peer_pid(fd);

	if (pid > 0)
		return err_set(err, ERR_CONFIG,
			"process %ld listens at %s already: it is the daemon there (postrider stop ends it)",
			pid, path);
	return err_set(err, ERR_CONFIG,
		"a daemon listens at %s already (postrider stop ends it)", path);
}

/* Nobody listens at the path; a socket file that is left over goes. */
static bool clear_path(const struct sockaddr_un *at, struct err *err)
{
	const char *path = at->sun_path;
	struct stat st;
	int fd, code;
	bool ok;

	if (lstat(path, &st) < 0) {
		if (errno == ENOENT)
			return true;
		return err_sys(err, errno, "cannot look at %s", path);
	}
	if (!S_ISSOCK(st.st_mode))
		return err_set(err, ERR_CONFIG,
			"%s is in the way of the control socket: move it away", path);
	fd = peer_socket(err);
	if (fd < 0)
		return false;
	code = connect(fd, (const struct sockaddr *)at, sizeof(*at)) == 0 ? 0
		: errno;
	/* EAGAIN: so many wait already that nobody more can. */
	if (code == 0 || code == EAGAIN)
		ok = refuse_second(fd, path, err);
	else if (code != ECONNREFUSED)
		ok = err_sys(err, code, "cannot tell whether a daemon listens at %s", path);
	else if (unlink(path) < 0)
		ok = err_sys(err, errno, "cannot remove %s, which a daemon left behind", path);
	else
		ok = true;
	close(fd);
	return ok;
}

static bool listen_there(struct control_place *place, struct err *err)
{
	const char *path = place->at.sun_path;
	struct stat st;
	mode_t mask = umask(0177);
	int bound = bind(place->fd, (const struct sockaddr *)&place->at,
		sizeof(place->at));

	if (bound < 0)
		bound = -errno;
	umask(mask);
	if (bound < 0)
		return err_sys(err, -bound, "cannot make the control socket %s", path);
	if (lstat(path, &st) < 0 || listen(place->fd, LIMIT_CONTROL_CALLERS) < 0) {
		err_sys(err, errno, "cannot listen at %s", path);
		unlink(path);
		return false;
	}
	place->dev = st.st_dev;
	place->ino = st.st_ino;
	return true;
}

bool control_place_take(struct control_place *place, const char *path,
	struct err *err)
{
	int dir;
	bool ok;

	if (!peer_address(path, &place->at, err))
		return false;
	place->fd = peer_socket(err);
	if (place->fd < 0)
		return false;
	dir = lock_folder(path, err);
	ok = dir >= 0 && clear_path(&place->at, err)
		&& listen_there(place, err);
	if (dir >= 0)
		close(dir);
	if (!ok)
		close(place->fd);
	return ok;
}

void control_place_leave(struct control_place *place)
{
	struct stat st;

	/* Somebody may have removed ours, and another daemon made its own. */
	if (lstat(place->at.sun_path, &st) == 0 && st.st_dev == place->dev
	    && st.st_ino == place->ino)
		unlink(place->at.sun_path);
	close(place->fd);
}
