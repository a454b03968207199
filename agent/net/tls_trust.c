/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/arena.h"
#include "agent/base/clock.h"
#include "agent/base/digest.h"
#include "agent/base/fsx.h"
#include "agent/base/limits.h"
#include "agent/base/log.h"
#include "agent/net/tls_priv.h"

/*
 * What every session needs and none changes, made once in the parent: trusted
 * certificates and priorities.
 */

/* GnuTLS's own selection, which has nothing below 128 bits, less what RFC 8996
 * and RFC 9325 rule out. */
#define PRIORITY "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:%PROFILE_MEDIUM"
/* Changed so lately, a file may change again without looking different. */
#define SETTLED_S 2

/* Puts one group before another: GnuTLS prefers the slower of the two curves
 * that all servers know. If anything else comes first there is a reason. */
static void prefer(gnutls_priority_t *priority, gnutls_group_t group,
	gnutls_group_t over)
{
	const unsigned int *list;
	gnutls_priority_t other;
	char text[1024];
	size_t len;
	int i, count = gnutls_priority_group_list(*priority, &list);

	if (count <= 0 || list[0] != (unsigned int)over)
		return;
	len = (size_t)snprintf(text, sizeof(text), "%s:-GROUP-ALL:+GROUP-%s",
		PRIORITY, gnutls_group_get_name(group));
	for (i = 0; i < count && len < sizeof(text); i++)
		if (list[i] != (unsigned int)group)
			len += (size_t)snprintf(text + len, sizeof(text) - len,
				":+GROUP-%s", gnutls_group_get_name(
				(gnutls_group_t)list[i]));
	if (len >= sizeof(text)
	    || gnutls_priority_init(&other, text, NULL) < 0)
		return;
	gnutls_priority_deinit(*priority);
	*priority = other;
}

static void make_priorities(struct tls_trust *trust)
{
	if (gnutls_priority_init(&trust->priority, PRIORITY, NULL) < 0
	    || gnutls_priority_init(&trust->p256, PRIORITY, NULL) < 0)
		mem_exhausted();
	prefer(&trust->priority, GNUTLS_GROUP_X25519, GNUTLS_GROUP_SECP256R1);
}

const char *tls_version(void)
{
	return gnutls_check_version(NULL);
}

/* Another version may judge otherwise. */
static struct digest measure(const void *data, size_t len)
{
	struct digester *d = digest_new();
	struct digest result;

	digest_add(d, data, len);
	digest_add(d, tls_version(), strlen(tls_version()));
	result = digest_take(d);
	digest_free(d);
	return result;
}

struct tls_trust *tls_trust_new(bool load)
{
	struct tls_trust *trust = mem_new(sizeof(*trust));
	struct tls_store *system = &trust->system;
	const uint64_t number = digest_random();

	make_priorities(trust);
	/* What was judged by it holds for this process. */
	system->digest = measure(&number, sizeof(number));
	system->count = gnutls_certificate_allocate_credentials(&system->cred);
	if (system->count == 0 && load)
		system->count = gnutls_certificate_set_x509_system_trust(
			system->cred);
	if (load)
		log_debug("%d certificates in the system's trust store",
			system->count);
	return trust;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino
		&& a->st_size == b->st_size
		&& memcmp(&a->st_mtim, &b->st_mtim, sizeof(a->st_mtim)) == 0
		&& memcmp(&a->st_ctim, &b->st_ctim, sizeof(a->st_ctim)) == 0;
}

const struct tls_store *tls_trust_find(const struct tls_trust *trust,
	const char *ca_file)
{
	struct stat st;
	size_t i;

	for (i = 0; i < trust->count; i++)
		if (strcmp(trust->files[i].path, ca_file) == 0)
			return stat(ca_file, &st) == 0
				&& same_file(&st, &trust->files[i].stat)
				? &trust->files[i] : NULL;
	return NULL;
}

static bool load(struct tls_store *store, const void *data, size_t len)
{
	const gnutls_datum_t pem = { (unsigned char *)(uintptr_t)data,
		(unsigned int)len };

	if (gnutls_certificate_allocate_credentials(&store->cred) < 0)
		mem_exhausted();
	store->digest = measure(data, len);
	store->count = gnutls_certificate_set_x509_trust_mem(store->cred, &pem,
		GNUTLS_X509_FMT_PEM);
	if (store->count > 0)
		return true;
	gnutls_certificate_free_credentials(store->cred);
	return false;
}

/* Is it one that can be told apart from what it may become? */
static bool is_settled(const struct stat *st)
{
	int64_t now = clock_wall();

	return S_ISREG(st->st_mode) && st->st_size <= LIMIT_CA_FILE
		&& st->st_mtim.tv_sec < now - SETTLED_S
		&& st->st_ctim.tv_sec < now - SETTLED_S;
}

static bool read_store(struct tls_store *store, const char *path)
{
	/* A pipe must not hold the parent up. */
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct err ignored = ERR_INIT;
	char *data = NULL;
	size_t len = 0;
	bool ok = false;

	if (fd < 0)
		return false;
	if (fstat(fd, &store->stat) == 0 && is_settled(&store->stat)) {
		data = mem_grow(NULL, (size_t)store->stat.st_size + 1, 1);
		ok = fsx_pread(fd, data, (size_t)store->stat.st_size, 0, &len,
			path, &ignored) && load(store, data, len);
	}
	free(data);
	close(fd);
	return ok;
}

void tls_trust_file(struct tls_trust *trust, const char *ca_file)
{
	struct tls_store *store = &trust->files[trust->count];
	size_t i;

	for (i = 0; i < trust->count; i++)
		if (strcmp(trust->files[i].path, ca_file) == 0)
			return;
	if (trust->count == LIMIT_TRUST_FILES || !read_store(store, ca_file))
		return;
	store->path = mem_grow(NULL, strlen(ca_file) + 1, 1);
	memcpy(store->path, ca_file, strlen(ca_file) + 1);
	trust->count++;
}

void tls_trust_free(struct tls_trust *trust)
{
	size_t i;

	if (trust == NULL)
		return;
	for (i = 0; i < trust->count; i++) {
		gnutls_certificate_free_credentials(trust->files[i].cred);
		free(trust->files[i].path);
	}
	gnutls_certificate_free_credentials(trust->system.cred);
	gnutls_priority_deinit(trust->priority);
	gnutls_priority_deinit(trust->p256);
	free(trust);
}
