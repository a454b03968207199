/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/control/peer.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int peer_socket(struct err *err)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (fd < 0) {
		err_sys(err, errno, "cannot make a socket");
		return -1;
	}
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

bool peer_address(const char *path, struct sockaddr_un *at_r, struct err *err)
{
	size_t len = strlen(path);

	memset(at_r, 0, sizeof(*at_r));
	at_r->sun_family = AF_UNIX;
	if (len == 0 || len >= sizeof(at_r->sun_path))
		return err_set(err, ERR_CONFIG,
			"the path of the control socket must have 1 to %zu bytes, not %zu: choose one with --control",
			sizeof(at_r->sun_path) - 1, len);
	memcpy(at_r->sun_path, path, len);
	return true;
}

#ifdef __linux__
static bool credentials(int fd, uid_t *uid_r, pid_t *pid_r)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return false;
	*uid_r = peer.uid;
	*pid_r = peer.pid;
	return true;
}
#else
static bool credentials(int fd, uid_t *uid_r, pid_t *pid_r)
{
	gid_t gid;

	*pid_r = 0;
	return getpeereid(fd, uid_r, &gid) == 0;
}
#endif

bool peer_is_ours(int fd)
{
	uid_t uid;
	pid_t pid;

	return credentials(fd, &uid, &pid) && (uid == 0 || uid == geteuid());
}

pid_t peer_pid(int fd)
{
	uid_t uid;
	pid_t pid;

	return credentials(fd, &uid, &pid) ? pid : 0;
}
