# SPDX-License-Identifier: GPL-3.0-or-later
"""Dovecot configurations, before and since version 2.4.

Both serve POP3 from Maildirs to the users of one passwd-file, and nothing else.
"""

# What both generations of the configuration language share...
COMMON = """
base_dir = {root}/run
state_dir = {root}/state
log_path = {root}/log
listen = 127.0.0.1
default_internal_user = {internal}
default_internal_group = {internal_group}
default_login_user = {login}
auth_failure_delay = 0
mail_fsync = never
mail_plugins = {plugins}
first_valid_uid = 1
ssl = yes
service anvil {{
  chroot =
  client_limit = 2000
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service auth {{
  client_limit = 2000
}}
auth_mechanisms = {mechanisms}
auth_failure_delay = 0
service pop3-login {{
  chroot =
  service_count = 0
  client_limit = 1000
  process_limit = {logins}
  inet_listener pop3 {{
    port = {plain_port}
  }}
  inet_listener pop3s {{
    port = {tls_port}
    ssl = yes
  }}
}}
service pop3 {{
  process_limit = 200
}}
"""
# ...and what each says in its own way.
OLD = """
protocols = pop3
ssl_cert = <{cert}
ssl_key = <{key}
disable_plaintext_auth = no
mail_max_userip_connections = 0
mail_location = {location_old}
{extras}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {root}/passwd
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={root}/home/%u
}}
pop3_uidl_format = %08Xu%08Xv
""" + COMMON
NEW = """dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
protocols {{
  pop3 = yes
}}
ssl_server_cert_file = {cert}
ssl_server_key_file = {key}
auth_allow_cleartext = yes
mail_max_userip_connections = 1000
{location_new}
{extras}
passdb passwd-file {{
  passwd_file_path = {root}/passwd
}}
userdb static {{
  fields {{
    uid = {uid}
    gid = {gid}
    home = {root}/home/%{{user}}
  }}
}}
pop3_uidl_format = %{{uid | hex(8)}}%{{uidvalidity | hex(8)}}
""" + COMMON.replace("mail_plugins = {plugins}",
                     "mail_plugins {{\n  {plugins} = yes\n}}")

# Only in the old language: certificates of clients, who are the users that
# these name; Kerberos.
CLIENT_CA = """ssl_ca = <{client_ca}
ssl_verify_client_cert = yes
ssl_require_crl = no
auth_ssl_username_from_cert = yes
passdb {{
  driver = static
  mechanisms = external
  args = nopassword
}}
"""
KERBEROS = """auth_krb5_keytab = {realm.keytab}
auth_gssapi_hostname = localhost
import_environment = TZ KRB5_CONFIG={realm.config}
"""

# Tokens, checked at an endpoint.
OAUTH2 = """introspection_mode = post
introspection_url = {url}
username_attribute = username
active_attribute = active
active_value = true
"""
OLD_OAUTH2 = """passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {root}/oauth2.conf
}}
"""
NEW_OAUTH2 = """oauth2 {{
  introspection_mode = post
  introspection_url = {url}
  username_attribute = username
  active_attribute = active
  active_value = true
}}
"""

LOCATIONS = {
    "maildir": {"location_old": "maildir:~/Maildir",
                "location_new": "mail_driver = maildir\nmail_path = ~/Maildir"},
    "mbox": {"location_old": "mbox:~/mail:INBOX=~/inbox",
             "location_new": "mail_driver = mbox\nmail_path = ~/mail\n"
                             "mail_inbox_path = ~/inbox"},
}
