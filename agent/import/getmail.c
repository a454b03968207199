/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/base/num.h"
#include "agent/import/priv.h"

/*
 * getmail has one account a file (getmailrc, or any file of its folder that has
 * a [retriever]), in sections of NAME = VALUE lines. Beside it lies
 * oldmail-SERVER-PORT-USER: records UID NUL SECONDS LF, of mail that is gone too
 * for 30 days. In the file's name / \ : ; < > | are a '-', in a UID '/' is.
 */

struct value {
	const char *section, *name, *text;
	unsigned int line;
	struct value *next;
};

static const struct value *find(const struct value *all, const char *section,
	const char *name)
{
	for (; all != NULL; all = all->next)
		if (strcmp(all->section, section) == 0
		    && strcmp(all->name, name) == 0)
			return all;
	return NULL;
}

static const char *get(const struct value *all, const char *section,
	const char *name, const char *otherwise)
{
	const struct value *v = find(all, section, name);

	return v != NULL ? v->text : otherwise;
}

static bool is_true(const struct value *all, const char *name, bool otherwise)
{
	const char *text = get(all, "options", name, otherwise ? "true"
		: "false");

	return text[0] == 't' || text[0] == 'T' || text[0] == '1'
		|| text[0] == 'y' || text[0] == 'Y';
}

/* A line that begins with a blank goes on with the value before it. */
static struct value *read_values(struct import *im, char *text)
{
	struct value *all = NULL, *v;
	const char *section = "";
	unsigned int number = 0;
	char *line, *sign;

	while ((line = text_line(&text)) != NULL) {
		number++;
		if (all != NULL && (line[0] == ' ' || line[0] == '\t')) {
			all->text = arena_printf(im->arena, "%s %s", all->text,
				text_trim(line));
			continue;
		}
		line = text_trim(line);
		if (line[0] == '[') {
			line[strcspn(line, "]")] = '\0';
			section = line + 1;
			continue;
		}
		sign = strpbrk(line, "=:");
		if (line[0] == '#' || line[0] == ';' || sign == NULL)
			continue;
		*sign++ = '\0';
		v = arena_alloc(im->arena, sizeof(*v));
		*v = (struct value){ section, text_trim(line), text_trim(sign),
			number, all };
		all = v;
	}
	return all;
}

/* ("a", 'b', "c",) as words, NULL behind them; a bare text is one. */
static const char *const *tuple(struct arena *arena, const char *text)
{
	const char **words = arena_array(arena, strlen(text) + 2,
		sizeof(*words)), *end;
	size_t n = 0;

	if (text[0] != '(') {
		words[0] = text;
		return words;
	}
	while ((text = strpbrk(text, "\"'")) != NULL
	       && (end = strchr(text + 1, text[0])) != NULL) {
		words[n++] = arena_strndup(arena, text + 1,
			(size_t)(end - text - 1));
		text = end + 1;
	}
	return words;
}

static void set_program(struct import *im, struct import_account *a,
	const struct value *all)
{
	const char *const *words = tuple(im->arena, get(all, "destination",
		"arguments", "()"));
	const char **argv;
	size_t i;

	for (i = 0; words[i] != NULL; i++)
		;
	argv = arena_array(im->arena, i + 2, sizeof(*argv));
	argv[0] = get(all, "destination", "path", "");
	for (i = 0; words[i] != NULL; i++)
		argv[i + 1] = text_replace(im->arena, words[i], "%(sender)",
			"%{sender}");
	import_set_pipe(im, a, argv);
}

static void set_deliver(struct import *im, struct import_account *a,
	const struct value *all)
{
	const struct value *type = find(all, "destination", "type");
	const char *name = type != NULL ? type->text : "";

	if (strcmp(name, "Maildir") == 0) {
		import_set_folder(im, a, "maildir",
			get(all, "destination", "path", "~/Maildir"));
	} else if (strcmp(name, "Mboxrd") == 0) {
		import_set_folder(im, a, "mbox",
			get(all, "destination", "path", ""));
	} else if (strcmp(name, "MDA_external") == 0) {
		set_program(im, a, all);
	} else {
		import_set_folder(im, a, "maildir", "~/Maildir");
		import_remark(im, type != NULL ? type->line : 0,
			"destination %s has no counterpart: into ~/Maildir instead", name);
	}
}

static void set_trust(struct import *im, struct import_account *a,
	const struct value *all)
{
	static const char *const moved[][2] = { { "ca_certs", "ca_file" },
		{ "certfile", "client_cert" }, { "keyfile", "client_key" },
		{ "ssl_cert_hostname", "tls_name" } };
	const struct value *v;
	size_t i;

	for (i = 0; i < sizeof(moved) / sizeof(moved[0]); i++) {
		v = find(all, "retriever", moved[i][0]);
		if (v != NULL)
			import_set_text(im, a, moved[i][1], v->text);
	}
	if (find(all, "retriever", "ca_certs") == NULL)
		import_remark(im, 0,
			"%s: there was no ca_certs, so certificates were not checked; they are now", im->file);
	v = find(all, "retriever", "ssl_fingerprints");
	if (v != NULL)
		import_remark(im, v->line,
			"ssl_fingerprints are of the certificate, a pin of its key: left out; postrider probe %s shows what to write", a->name);
}

static void set_login(struct import *im, struct import_account *a,
	const struct value *all)
{
	const struct value *command = find(all, "retriever",
		"password_command");
	const char *password = get(all, "retriever", "password", NULL);

	if (command != NULL)
		import_set(im, a, "password", arena_printf(im->arena,
			"{command: %s}", text_yaml_list(im->arena,
				tuple(im->arena, command->text))));
	else if (password != NULL)
		import_set_text(im, a, "password", password);
	else
		import_set(im, a, "password", "{netrc: true}");
	if (get(all, "retriever", "use_apop", "f")[0] == 't'
	    || get(all, "retriever", "use_apop", "F")[0] == 'T')
		import_set(im, a, "auth", "[apop]");
	if (find(all, "retriever", "use_xoauth2") != NULL)
		import_remark(im, find(all, "retriever", "use_xoauth2")->line,
			"use_xoauth2: write token: {command: ...} in the place of the password");
}

/* delete and delete_after; delivered once is seen, whatever read_all says. */
static void set_keep(struct import *im, struct import_account *a,
	const struct value *all)
{
	const char *days = get(all, "options", "delete_after", "0");
	bool remove = is_true(all, "delete", false);

	if (remove)
		import_set(im, a, "keep", "false");
	else if (strcmp(days, "0") != 0)
		import_set(im, a, "keep", arena_printf(im->arena, "%sd", days));
	else
		import_set(im, a, "keep", "true");
	if (is_true(all, "read_all", true) && !remove)
		import_remark(im, 0,
			"%s: read_all fetches all mail again each time: what was fetched once is not fetched again", im->file);
}

static void set_limits(struct import *im, struct import_account *a,
	const struct value *all)
{
	static const char *const moved[][2] = {
		{ "max_message_size", "message" },
		{ "max_messages_per_session", "messages" },
		{ "max_bytes_per_session", "bytes" } };
	const char *text = "", *value;
	size_t i;

	for (i = 0; i < sizeof(moved) / sizeof(moved[0]); i++) {
		value = get(all, "options", moved[i][0], "0");
		if (strcmp(value, "0") != 0)
			text = arena_printf(im->arena, "%s%s%s: %s", text,
				text[0] != '\0' ? ", " : "", moved[i][1],
				value);
	}
	if (text[0] != '\0')
		import_set(im, a, "limits", arena_printf(im->arena, "{%s}",
			text));
}

static void tell_rest(struct import *im, const struct value *all)
{
	const struct value *v;

	for (v = all; v != NULL; v = v->next)
		if (strncmp(v->section, "filter", 6) == 0
		    && strcmp(v->name, "type") == 0)
			import_remark(im, v->line,
				"[%s] has no counterpart: put the filter into a delivery program", v->section);
	if (is_true(all, "received", true) || is_true(all, "delivered_to", true))
		import_remark(im, 0,
			"%s: no Received or Delivered-To line is added to messages",
			im->file);
}

/* oldmail-SERVER-PORT-USER, beside the rc file. */
static const char *oldmail(struct import *im, const char *folder,
	const struct import_account *a, uint64_t port)
{
	char *name = arena_printf(im->arena, "%s-%llu-%s", a->host,
		(unsigned long long)port, a->user), *in = name, *out = name;

	for (; *in != '\0'; in++)
		if (strchr("/:;<>|", *in) == NULL)
			*out++ = *in;
		else if (out == name || out[-1] != '-')
			*out++ = '-';
	*out = '\0';
	return arena_printf(im->arena, "%s/oldmail-%s", folder, name);
}

static bool read_oldmail(struct import *im, struct import_account *a,
	const char *path, struct err *err)
{
	char *text, *lf;
	size_t len;

	if (!text_read(im->arena, path, &text, &len, err))
		return false;
	if (text == NULL) {
		import_remark(im, 0,
			"account %s: there is no list of fetched messages in %s: everything on the server will be fetched", a->name, path);
		return true;
	}
	a->seen.folds = true;
	while ((lf = memchr(text, '\n', len)) != NULL) {
		if (memchr(text, '\0', (size_t)(lf - text)) != NULL)
			import_saw(im, a, text, strlen(text));
		len -= (size_t)(lf + 1 - text);
		text = lf + 1;
	}
	return true;
}

static bool is_pop3(struct import *im, const struct value *all, bool *tls_r)
{
	const struct value *type = find(all, "retriever", "type");

	if (type == NULL)
		return false;
	*tls_r = strcmp(type->text, "SimplePOP3SSLRetriever") == 0;
	if (*tls_r || strcmp(type->text, "SimplePOP3Retriever") == 0)
		return true;
	import_remark(im, type->line,
		"%s has no counterpart: the account is left out", type->text);
	return false;
}

static bool read_rc(struct import *im, const char *folder, const char *path,
	struct err *err)
{
	struct import_account *a;
	const struct value *all;
	uint64_t port;
	const char *number;
	char *text;
	size_t len;
	bool tls;

	im->file = path;
	if (!text_read(im->arena, path, &text, &len, err))
		return false;
	all = text != NULL ? read_values(im, text) : NULL;
	if (!is_pop3(im, all, &tls))
		return true;
	a = import_add(im, strrchr(path, '/') != NULL ? strrchr(path, '/') + 1
		: path, get(all, "retriever", "server", ""),
		get(all, "retriever", "username", ""));
	number = get(all, "retriever", "port", tls ? "995" : "110");
	if (!num_u64(number, strlen(number), UINT16_MAX, &port))
		port = tls ? 995 : 110;
	import_set_server(im, a, tls ? IMPORT_TLS : IMPORT_PLAIN, port);
	if (tls)
		set_trust(im, a, all);
	set_login(im, a, all);
	set_keep(im, a, all);
	set_limits(im, a, all);
	set_deliver(im, a, all);
	tell_rest(im, all);
	return read_oldmail(im, a, oldmail(im, folder, a, port), err);
}

/* A folder: whatever is in it and has a [retriever]. */
static bool read_folder(struct import *im, const char *folder, struct err *err)
{
	DIR *dir = opendir(folder);
	const struct dirent *entry;
	const char *path;
	struct stat st;
	bool ok = true;

	if (dir == NULL)
		return err_set(err, ERR_CONFIG, "cannot read %s", folder);
	while (ok && (entry = readdir(dir)) != NULL) {
		path = arena_printf(im->arena, "%s/%s", folder, entry->d_name);
		if (strncmp(entry->d_name, "oldmail", 7) != 0
		    && entry->d_name[0] != '.'
		    && stat(path, &st) == 0 && S_ISREG(st.st_mode)
		    && st.st_size < 1 << 20)
			ok = read_rc(im, folder, path, err);
	}
	closedir(dir);
	im->file = folder;
	return ok;
}

static bool read_getmail(struct import *im, const char *path, struct err *err)
{
	char *folder = arena_strdup(im->arena, path), *slash;
	struct stat st;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return read_folder(im, path, err);
	slash = strrchr(folder, '/');
	if (slash != NULL)
		*slash = '\0';
	return read_rc(im, slash != NULL ? folder : ".", path, err);
}

const struct importer import_getmail = {
	"getmail", { "~/.config/getmail", "~/.getmail", NULL }, read_getmail,
};
