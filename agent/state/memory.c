/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/state/memory.h"

#include <assert.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/arena.h"
#include "agent/base/digest.h"
#include "agent/base/fsx.h"
#include "agent/base/limits.h"
#include "agent/base/log.h"
#include "agent/base/num.h"

#define MEMORY_FILE "memory"
#define FIRST_LINE "postrider memory 1\n"
#define CHECK "check "

enum field_type { FIELD_TIME, FIELD_COUNT, FIELD_ENUM, FIELD_TEXT,
	FIELD_TICKET };

/* `max` is the largest value, or the room for a text. */
struct field {
	const char *key;
	enum field_type type;
	size_t at;
	uint64_t max;
};

#define AT(member) offsetof(struct memory, member)
#define ROOM(member) sizeof(((struct memory *)NULL)->member)
#define OUTCOME(member) AT(outcome.member)
#define TIME(name) { #name, FIELD_TIME, OUTCOME(name), INT64_MAX }
#define COUNT(name) { #name, FIELD_COUNT, OUTCOME(name), UINT64_MAX }
#define FAILURES(name, class) \
	{ "failures_" name, FIELD_COUNT, OUTCOME(failures[class]), UINT64_MAX }
#define TEXT(name) { #name, FIELD_TEXT, OUTCOME(name), ROOM(outcome.name) }
#define RECALL(name) \
	{ "recall_" #name, FIELD_TEXT, AT(recall.name), ROOM(recall.name) }
#define FOUND(name) \
	{ "found_" #name, FIELD_TEXT, AT(found.name), ROOM(found.name) }
#define GLANCE(name, type, max) \
	{ "glance_" #name, type, AT(glance.name), max }
#define LEDGER(name) \
	{ "ledger_" #name, FIELD_COUNT, AT(ledger.name), UINT64_MAX }

/* A row for each member that lasts. */
static const struct field fields[] = {
	TIME(tried), TIME(succeeded), TIME(failing_since), TIME(noticed),
	TIME(failed), TIME(cert_expiry),
	COUNT(passes), COUNT(messages), COUNT(bytes), COUNT(streak),
	FAILURES("message", ERR_MSG),
	FAILURES("retry", ERR_RETRY),
	FAILURES("protocol", ERR_PROTO),
	FAILURES("login", ERR_LOGIN),
	FAILURES("configuration", ERR_CONFIG),
	{ "class", FIELD_ENUM, OUTCOME(class), ERR_CONFIG },
	{ "code", FIELD_ENUM, OUTCOME(code), ERR_CODES - 1 },
	TEXT(text), TEXT(server),
	{ "expire_warned", FIELD_TIME, offsetof(struct memory, expire_warned),
	  INT64_MAX },
	{ "fault_warned", FIELD_TIME, offsetof(struct memory, fault_warned),
	  INT64_MAX },
	{ "cert_warned", FIELD_TIME, AT(cert_warned), INT64_MAX },
	{ "clock", FIELD_TIME, AT(clock), INT64_MAX },
	{ "audited", FIELD_COUNT, AT(audited), UINT64_MAX },
	{ "audit_last", FIELD_TIME, AT(audit_last), INT64_MAX },
	{ "audit_off", FIELD_TIME, AT(audit_off), INT64_MAX },
	{ "settled", FIELD_COUNT, AT(settled), UINT64_MAX },
	{ "epoch", FIELD_TEXT, AT(epoch), ROOM(epoch) },
	RECALL(key), RECALL(before), RECALL(after), RECALL(mechanism),
	{ "recall_learned", FIELD_TIME, AT(recall.learned), INT64_MAX },
	{ "recall_doubted", FIELD_TIME, AT(recall.doubted), INT64_MAX },
	{ "recall_ticket", FIELD_TICKET, AT(recall), LIMIT_TICKET },
	FOUND(host), FOUND(address),
	{ "found_at", FIELD_TIME, AT(found.at), INT64_MAX },
	GLANCE(listed, FIELD_TIME, INT64_MAX),
	GLANCE(due, FIELD_TIME, INT64_MAX),
	GLANCE(count, FIELD_COUNT, UINT64_MAX),
	GLANCE(size, FIELD_COUNT, UINT64_MAX),
	GLANCE(skipped, FIELD_COUNT, UINT64_MAX),
	GLANCE(uid, FIELD_TEXT, ROOM(glance.uid)),
	GLANCE(policy, FIELD_TEXT, ROOM(glance.policy)),
	{ "ledger_epoch", FIELD_TEXT, AT(ledger.epoch), ROOM(ledger.epoch) },
	LEDGER(last), LEDGER(serial), LEDGER(first),
	{ "marked", FIELD_TEXT, AT(marked), ROOM(marked) },
};
#define FIELDS (sizeof(fields) / sizeof(fields[0]))

static_assert(sizeof(enum err_class) == sizeof(int)
	&& sizeof(enum err_code) == sizeof(int), "an enum is read as an int");

static bool is_bad(const struct report *report)
{
	return report->class != ERR_NONE && report->class != ERR_MSG;
}

bool outcome_add(struct outcome *o, const struct report *report,
	int64_t now)
{
	o->messages += report->counts.delivered;
	o->bytes += report->counts.fetched_bytes;
	if (report->cert_expiry != 0)
		o->cert_expiry = report->cert_expiry;
	if (report->class == ERR_STOP || report->code == ERR_CODE_BUSY)
		return false;
	o->passes++;
	o->tried = now;
	if (!is_bad(report)) {
		o->succeeded = now;
		o->failing_since = 0;
		o->streak = 0;
	} else {
		/* A clock that was ahead must not hide it for years. */
		if (o->failing_since == 0 || o->failing_since > now)
			o->failing_since = now;
		o->streak++;
	}
	if (report->class == ERR_NONE)
		return true;
	o->failed = now;
	o->failures[report->class]++;
	o->class = (enum err_class)report->class;
	o->code = (enum err_code)report->code;
	log_escape(o->text, sizeof(o->text), report->text,
		strlen(report->text));
	log_escape(o->server, sizeof(o->server), report->server,
		strlen(report->server));
	return true;
}

enum report_turn outcome_turn(struct outcome *o, uint64_t after, int64_t now)
{
	if (o->failing_since == 0 && o->noticed != 0) {
		o->noticed = 0;
		return TURN_RECOVERED;
	}
	if (o->failing_since == 0 || o->noticed != 0
	    || (uint64_t)(now - o->failing_since) < after)
		return TURN_NONE;
	o->noticed = now;
	return TURN_FAILING;
}

static const struct field *find(const char *key, size_t len)
{
	size_t i;

	for (i = 0; i < FIELDS; i++)
		if (strlen(fields[i].key) == len
		    && memcmp(fields[i].key, key, len) == 0)
			return &fields[i];
	return NULL;
}

static bool get_text(char *out, size_t cap, const char *value, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (value[i] < ' ' || value[i] > '~')
			return false;
	if (len >= cap)
		return false;
	memcpy(out, value, len);
	out[len] = '\0';
	return true;
}

static bool get_value(struct memory *memory, const struct field *f,
	const char *value, size_t len)
{
	char *p = (char *)memory + f->at;
	uint64_t number;
	int64_t time;
	int word;

	if (f->type == FIELD_TEXT)
		return get_text(p, f->max, value, len);
	if (f->type == FIELD_TICKET)
		return digest_unbase64(value, len,
			(char *)memory->recall.ticket,
			sizeof(memory->recall.ticket),
			&memory->recall.ticket_len);
	if (!num_u64(value, len, f->max, &number))
		return false;
	time = (int64_t)number;
	word = (int)number;
	if (f->type == FIELD_ENUM)
		memcpy(p, &word, sizeof(word));
	else if (f->type == FIELD_TIME)
		memcpy(p, &time, sizeof(time));
	else
		memcpy(p, &number, sizeof(number));
	return true;
}

static bool get_line(struct memory *memory, const char *line, size_t len)
{
	const char *blank = memchr(line, ' ', len);
	const struct field *f;

	if (blank == NULL)
		return false;
	f = find(line, (size_t)(blank - line));
	return f == NULL || get_value(memory, f, blank + 1,
		(size_t)(line + len - (blank + 1)));
}

/* The last line vouches for all before it. *len_r is their length. */
static bool is_whole(const char *data, size_t len, size_t *len_r)
{
	const size_t tail = strlen(CHECK) + DIGEST_LEN + 1;
	struct digest digest;

	if (len < strlen(FIRST_LINE) + tail || data[len - 1] != '\n'
	    || memcmp(data, FIRST_LINE, strlen(FIRST_LINE)) != 0)
		return false;
	*len_r = len - tail;
	digest = digest_of(data, *len_r);
	return data[*len_r - 1] == '\n'
		&& memcmp(data + *len_r, CHECK, strlen(CHECK)) == 0
		&& memcmp(data + *len_r + strlen(CHECK), digest.text,
			DIGEST_LEN) == 0;
}

static bool parse(const char *data, size_t len, struct memory *memory_r)
{
	const char *p = data + strlen(FIRST_LINE), *end, *newline;

	if (!is_whole(data, len, &len))
		return false;
	for (end = data + len; p < end; p = newline + 1) {
		newline = memchr(p, '\n', (size_t)(end - p));
		if (newline == NULL
		    || !get_line(memory_r, p, (size_t)(newline - p)))
			return false;
	}
	return true;
}

/* At most a file as large as it may be, whatever lies there. *data_r is to be
 * freed. */
static size_t read_file(int dir, char **data_r)
{
	/* A pipe must not hold us up. */
	int fd = openat(dir, MEMORY_FILE, O_RDONLY | O_NOFOLLOW | O_NONBLOCK
		| O_CLOEXEC);
	struct err ignored = ERR_INIT;
	size_t len = 0;
	struct stat st;

	*data_r = NULL;
	if (fd < 0)
		return 0;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0
	    && st.st_size <= LIMIT_MEMORY_FILE) {
		*data_r = mem_grow(NULL, (size_t)st.st_size, 1);
		if (!fsx_pread(fd, *data_r, (size_t)st.st_size, 0, &len,
			MEMORY_FILE, &ignored))
			len = 0;
	}
	close(fd);
	return len;
}

void memory_read(int dir, struct memory *memory_r)
{
	char *data;
	size_t len = read_file(dir, &data);

	memset(memory_r, 0, sizeof(*memory_r));
	if (len != 0 && !parse(data, len, memory_r)) {
		log_debug("the file memory is damaged, and so forgotten");
		memset(memory_r, 0, sizeof(*memory_r));
	}
	free(data);
}

void memory_load(const char *state, const char *account,
	struct memory *memory_r)
{
	char path[600];
	int dir;

	memset(memory_r, 0, sizeof(*memory_r));
	snprintf(path, sizeof(path), "%s/%s", state, account);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return;
	memory_read(dir, memory_r);
	close(dir);
}

static void put_ticket(FILE *out, const struct recall *recall, const char *key)
{
	size_t cap = 4 * (recall->ticket_len / 3 + 1) + 1;
	char *text;

	if (recall->ticket_len == 0)
		return;
	text = mem_grow(NULL, cap, 1);
	digest_base64(recall->ticket, recall->ticket_len, text, cap);
	fprintf(out, "%s %s\n", key, text);
	free(text);
}

static void put_field(FILE *out, const struct memory *memory,
	const struct field *f)
{
	const char *p = (const char *)memory + f->at;
	uint64_t number;
	int word;

	if (f->type == FIELD_TICKET) {
		put_ticket(out, &memory->recall, f->key);
		return;
	}
	if (f->type == FIELD_TEXT) {
		if (*p != '\0')
			fprintf(out, "%s %s\n", f->key, p);
		return;
	}
	if (f->type == FIELD_ENUM) {
		memcpy(&word, p, sizeof(word));
		number = (uint64_t)word;
	} else {
		memcpy(&number, p, sizeof(number));
	}
	if (number != 0)
		fprintf(out, "%s %" PRIu64 "\n", f->key, number);
}

void memory_write(int dir, const struct memory *memory)
{
	struct err err = ERR_INIT;
	struct digest digest;
	char *data = NULL;
	size_t len = 0, i;
	FILE *out = open_memstream(&data, &len);

	if (out == NULL)
		return;
	fputs(FIRST_LINE, out);
	for (i = 0; i < FIELDS; i++)
		put_field(out, memory, &fields[i]);
	if (fflush(out) == 0) {
		digest = digest_of(data, len);
		fprintf(out, CHECK "%s\n", digest.text);
	}
	if (fclose(out) == 0 && !fsx_replace(dir, MEMORY_FILE, data, len, 0600,
		&err))
		log_err(LOG_LEVEL_WARN, &err);
	free(data);
}
