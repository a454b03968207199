# mutt_oauth2.py: one Python script, part of mutt, that keeps tokens in an
# encrypted file and refreshes them when it is run.
# Facts: contrib/mutt_oauth2.py.README of https://gitlab.com/muttmua/mutt
#
# In a copy of the script, edit ENCRYPTION_PIPE (your GnuPG key) and, under
# "google" or "microsoft", client_id and client_secret. Then, once for each
# account:
#
#   mutt_oauth2.py you@gmail.com.tokens --verbose --authorize
#
# and answer its questions ("localhostauthcode" where a browser runs on this
# machine, else "devicecode" or "authcode"). With --test instead of --authorize
# it tries IMAP, POP and SMTP. With the file alone it prints a token. gpg-agent
# must be able to give out the key without asking, or to ask you on a terminal
# (GPG_TTY).
#
# ~ means nothing in a command: write the whole paths.

accounts:
  gmail:
    host: pop.gmail.com
    user: you@gmail.com
    token: {command: [/home/you/bin/mutt_oauth2.py, /home/you/.tokens/you@gmail.com.tokens]}
    deliver: {maildir: ~/Maildir}
  office:
    host: outlook.office365.com
    user: you@example.com
    token: {command: [/home/you/bin/mutt_oauth2.py, /home/you/.tokens/you@example.com.tokens]}
    deliver: {maildir: ~/Maildir}
