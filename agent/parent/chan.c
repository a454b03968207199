/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/parent/chan.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

bool chan_pair(int fds[2], struct err *err)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) == 0)
		return true;
	return err_sys(err, errno, "cannot make a channel to a worker");
}

union control {
	char room[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

bool chan_send(int chan, const struct chan_packet *packet, int fd,
	enum chan_wait wait, struct err *err)
{
	/* sendmsg() does not change what it sends. */
	struct iovec iov = { (void *)(uintptr_t)packet, sizeof(*packet) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	union control control;
	struct cmsghdr *cmsg;
	ssize_t n;

	if (fd >= 0) {
		memset(&control, 0, sizeof(control));
		msg.msg_control = control.room;
		msg.msg_controllen = sizeof(control.room);
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cmsg), &fd, sizeof(int));
	}
	do
		n = sendmsg(chan, &msg, MSG_NOSIGNAL
			| (wait == CHAN_WAIT ? 0 : MSG_DONTWAIT));
	while (n < 0 && errno == EINTR);
	if (n == (ssize_t)sizeof(*packet))
		return true;
	if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
		return err_set(err, ERR_STOP, "the other process is gone");
	return err_sys(err, errno, "channel");
}

static bool terminated(const char *text, size_t cap)
{
	size_t i;

	for (i = 0; i < cap && text[i] != '\0'; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			return false;
	return i < cap;
}

static bool well_formed(const struct chan_packet *p)
{
	switch ((enum chan_type)p->type) {
	case CHAN_PROGRESS:
		return p->progress.phase < PHASES;
	case CHAN_SPAWN:
		return terminated(p->spawn.epoch, sizeof(p->spawn.epoch))
			&& terminated(p->spawn.sender, sizeof(p->spawn.sender));
	case CHAN_EXITED:
		return terminated(p->exited.output, sizeof(p->exited.output));
	case CHAN_REPORT:
		return p->report.class <= ERR_CONFIG
			&& p->report.code < ERR_CODES
			&& p->report.turn < TURNS
			&& terminated(p->report.text, sizeof(p->report.text))
			&& terminated(p->report.server,
				sizeof(p->report.server));
	case CHAN_STOP:
		return true;
	}
	return false;
}

/* The descriptor in a control message, or -1. */
static int take_fd(struct msghdr *msg)
{
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg);
	int fd = -1;

	if (cmsg != NULL && cmsg->cmsg_level == SOL_SOCKET
	    && cmsg->cmsg_type == SCM_RIGHTS
	    && cmsg->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&fd, CMSG_DATA(cmsg), sizeof(int));
	return fd;
}

bool chan_recv(int chan, struct chan_packet *packet_r, int *fd_r,
	enum chan_wait wait, struct err *err)
{
	struct iovec iov = { packet_r, sizeof(*packet_r) };
	union control control;
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control.room,
		/* Room for one descriptor and not, by padding, for two: the
		 * kernel closes what does not fit. */
		.msg_controllen = fd_r != NULL ? CMSG_LEN(sizeof(int)) : 0 };
	bool reset = false;
	ssize_t n = 0;
	int fd;

	/* A peer that ended without reading all of ours resets the connection
	 * before what it sent is read; that is told once, the rest is there. */
	do {
		reset |= n < 0 && errno == ECONNRESET;
		n = recvmsg(chan, &msg, MSG_CMSG_CLOEXEC
			| (wait == CHAN_WAIT ? 0 : MSG_DONTWAIT));
	} while (n < 0 && (errno == EINTR
		|| (errno == ECONNRESET && !reset)));
	if (n < 0 && errno != ECONNRESET)
		return err_sys(err, errno, "channel");
	if (n <= 0)
		return err_set(err, ERR_STOP, "the other process is gone");
	fd = fd_r != NULL ? take_fd(&msg) : -1;
	if (n == (ssize_t)sizeof(*packet_r) && well_formed(packet_r)
	    && (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0) {
		if (fd_r != NULL)
			*fd_r = fd;
		return true;
	}
	if (fd >= 0)
		close(fd);
	return err_set(err, ERR_PROTO, "a packet from another process is not well-formed");
}
