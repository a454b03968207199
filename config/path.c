/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config/path.h"

#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/chars.h"

struct expansion {
	struct arena *arena;
	char out[PATH_MAX];
	size_t len;
	const char *why;
};

static const char *home(void)
{
	const char *dir = getenv("HOME");
	const struct passwd *pw;

	if (dir != NULL && dir[0] == '/')
		return dir;
	pw = getpwuid(geteuid());
	return pw != NULL && pw->pw_dir[0] == '/' ? pw->pw_dir : NULL;
}

/* The XDG specification: a relative path is as good as none. */
static const char *env_dir(const char *name)
{
	const char *dir = getenv(name);

	return dir != NULL && dir[0] == '/' ? dir : NULL;
}

static bool put(struct expansion *x, const char *s, size_t len)
{
	if (len >= sizeof(x->out) - x->len) {
		x->why = "is too long";
		return false;
	}
	memcpy(x->out + x->len, s, len);
	x->len += len;
	x->out[x->len] = '\0';
	return true;
}

static bool put_variable(struct expansion *x, const char *name, size_t len)
{
	const char *copy = arena_strndup(x->arena, name, len);
	const char *value = getenv(copy);

	if (value != NULL && value[0] != '\0')
		return put(x, value, strlen(value));
	x->why = arena_printf(x->arena,
		"uses the environment variable %s, which is not set", copy);
	return false;
}

/* At a '$': returns how much of the text it took, 0 on a mistake. */
static size_t take_variable(struct expansion *x, const char *s)
{
	bool brace = s[1] == '{';
	const char *name = s + 1 + brace;
	size_t len = 0;

	if (name[0] == '_' || (name[0] != '\0' && strchr(LETTERS, name[0])))
		len = strspn(name, LETTERS DIGITS "_");
	if (len == 0 && !brace)
		return put(x, "$", 1) ? 1 : 0;
	if (brace && (len == 0 || name[len] != '}')) {
		x->why = "has ${ without a name and }";
		return 0;
	}
	if (!put_variable(x, name, len))
		return 0;
	return 1 + len + 2 * (size_t)brace;
}

static size_t take_home(struct expansion *x, const char *s)
{
	const char *dir = home();

	if (s[1] != '/' && s[1] != '\0') {
		x->why = "begins with ~, but only ~ and ~/ are known";
		return 0;
	}
	if (dir == NULL) {
		x->why = "begins with ~, but $HOME is not set";
		return 0;
	}
	return put(x, dir, strlen(dir)) ? 1 : 0;
}

const char *path_expand(struct arena *arena, const char *text,
	const char **why_r)
{
	struct expansion x = { .arena = arena, .len = 0, .why = NULL };
	const char *s = text;
	size_t n;

	x.out[0] = '\0';
	if (*s == '~')
		s += take_home(&x, s);
	while (*s != '\0' && x.why == NULL) {
		n = strcspn(s, "$");
		if (n != 0 && !put(&x, s, n))
			break;
		s += n;
		if (*s == '$')
			s += take_variable(&x, s);
	}
	*why_r = x.why;
	return x.why == NULL ? arena_strdup(arena, x.out) : NULL;
}

const char *path_beside(struct arena *arena, const char *file,
	const char *path)
{
	const char *slash = strrchr(file, '/');

	if (path[0] == '/' || slash == NULL)
		return arena_strdup(arena, path);
	return arena_printf(arena, "%.*s/%s", (int)(slash - file), file, path);
}

static bool absent(const char *path)
{
	struct stat st;

	return stat(path, &st) < 0 && (errno == ENOENT || errno == ENOTDIR);
}

bool path_find_config(struct arena *arena, const char **path_r,
	struct err *err)
{
	static const char tail[] = "postrider/config.yaml";
	const char *xdg = env_dir("XDG_CONFIG_HOME"), *dir = home();
	const char *tries[3], *looked = "";
	size_t i, count = 0;

	*path_r = NULL;
	if (xdg != NULL)
		tries[count++] = arena_printf(arena, "%s/%s", xdg, tail);
	if (dir != NULL)
		tries[count++] = arena_printf(arena, "%s/.config/%s", dir,
			tail);
	if (geteuid() == 0)
		tries[count++] = "/etc/postrider/config.yaml";
	for (i = 0; i < count; i++) {
		*path_r = tries[i];
		if (!absent(tries[i]))
			return true;
		looked = arena_printf(arena, "%s%s%s", looked,
			i != 0 ? " or " : "", tries[i]);
	}
	return err_set(err, ERR_CONFIG, "there is no configuration at %s",
		count != 0 ? looked : "~/.config (and $HOME is not set)");
}

bool path_default_state(struct arena *arena, const char **path_r,
	struct err *err)
{
	const char *service = env_dir("STATE_DIRECTORY");
	const char *xdg = env_dir("XDG_STATE_HOME"), *dir = home();

	/* systemd joins several directories with colons. */
	if (service != NULL)
		*path_r = arena_strndup(arena, service, strcspn(service, ":"));
	else if (xdg != NULL)
		*path_r = arena_printf(arena, "%s/postrider", xdg);
	else if (geteuid() == 0)
		*path_r = "/var/lib/postrider";
	else if (dir != NULL)
		*path_r = arena_printf(arena, "%s/.local/state/postrider", dir);
	else
		return err_set(err, ERR_CONFIG,
			"state: is not given and $HOME is not set");
	return true;
}

const char *path_quote(struct arena *arena, const char *path)
{
	size_t i, n = 0, len = strlen(path);
	char *out;

	if (len != 0 && path[0] != '-' && path[0] != '~'
	    && path[strspn(path, LETTERS DIGITS "/._+@%:,=~-")] == '\0')
		return path;
	out = arena_array(arena, len + 1, 4);
	out[n++] = '\'';
	for (i = 0; i < len; i++) {
		if (path[i] == '\'') {
			memcpy(out + n, "'\\'", 3);
			n += 3;
		}
		out[n++] = path[i];
	}
	out[n++] = '\'';
	return out;
}
