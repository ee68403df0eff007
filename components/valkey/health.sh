# shellcheck shell=sh
# PONG and nothing else is an answer: valkey-cli ends well also where it is refused, or the
# server still reads its file. The password goes through a pipe, from the shell itself.
{ printf 'AUTH health '; cat /run/secrets/health; printf '\nPING\n'; } | valkey-cli -t 2 | grep -qx PONG
