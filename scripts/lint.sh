#!/usr/bin/env bash
# Every check of the sources that runs nothing of them. All are run; what failed
# is listed at the end. A tool that is missing is a failure, too: what was not
# looked at is not clean.
#
#   scripts/lint.sh            all
#   scripts/lint.sh NAME...    some: gofmt vet staticcheck toolchain standins acme bench shellcheck ruff actionlint
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=/dev/null
. "$here/../setup/lib.sh"
cd "$here/.."

readonly staticcheck=honnef.co/go/tools/cmd/staticcheck@v0.8.2
readonly actionlint=github.com/rhysd/actionlint/cmd/actionlint@v1.7.12
readonly all=(gofmt vet staticcheck toolchain standins acme bench shellcheck ruff actionlint)

# need PROGRAM PACKAGE...: on Debian as root, what is missing is installed.
need() {
  local program=$1
  shift
  if have "$program"; then return; fi
  if is_root && is_debian && apt_install "$@" && have "$program"; then return; fi
  printf '%s is missing: install %s with the system'\''s package manager\n' "$program" "$*"
  return 1
}

# sources [PATTERN...]: what git has or would have, and is there, one a line.
sources() {
  local name
  git ls-files --cached --others --exclude-standard -- "$@" | sort -u | while IFS= read -r name; do
    if [ -f "$name" ]; then printf '%s\n' "$name"; fi
  done
}

# lines COMMAND...: puts what it prints into the array `list`; nothing is an
# error: a check that finds no files has checked nothing.
list=()
lines() {
  local line
  list=()
  while IFS= read -r line; do list+=("$line"); done < <("$@")
  if [ ${#list[@]} -gt 0 ]; then return; fi
  printf 'no files: %s\n' "$*"
  return 1
}

# --- Go ------------------------------------------------------------------------

check_gofmt() {
  local unformatted
  lines sources '*.go' && unformatted=$(gofmt -s -l "${list[@]}") || return
  if [ -z "$unformatted" ]; then return; fi
  printf 'not formatted; run gofmt -s -w on\n%s\n' "$unformatted"
  return 1
}

# The tag brings the end-to-end tests in; without it they are not even compiled.
check_vet() { go vet ./... && go vet -tags e2e,peers,cost,engines ./...; }

check_staticcheck() { go run "$staticcheck" -tags e2e,peers,cost,engines ./...; }

# The plugins' commands compile the whole providers: minutes, unless set-up has
# built them on this machine.
check_toolchain() {
  local packages=(./internal/... ./cmd/pulumi-language-go) built
  built=$(find "$(cache_dir)/toolchain" -name 'pulumi-resource-*' -type f 2>/dev/null | head -n 1)
  if [ -n "$built" ]; then
    packages=(./...)
  else
    skip "toolchain: the plugins' commands, because set-up did not build them on this machine" 2>&3
  fi
  cd toolchain && go vet -tags no_compose "${packages[@]}" && go run "$staticcheck" -tags no_compose "${packages[@]}"
}

# Modules of their own, too.
check_standins() { cd setup/standins/cadvisor && GOWORK=off go vet ./... && GOWORK=off go run "$staticcheck" ./...; }

check_acme() { cd cmd/acme && go vet ./... && go run "$staticcheck" ./...; }

check_bench() { cd test/bench && go vet ./... && go run "$staticcheck" ./...; }

# --- scripts and workflows --------------------------------------------------------

# Those called *.sh, and those without an extension that say so in their first line.
shell_scripts() {
  local name
  sources | while IFS= read -r name; do
    case ${name##*/} in
      *.sh) printf '%s\n' "$name" ;;
      *.*) ;;
      *) if head -n 1 "$name" | LC_ALL=C grep -aEq '^#!.*[/ ](ba|da|k)?sh( |$)'; then printf '%s\n' "$name"; fi ;;
    esac
  done
}

check_shellcheck() { need shellcheck shellcheck && lines shell_scripts && shellcheck -- "${list[@]}"; }

check_actionlint() {
  need shellcheck shellcheck && lines sources .github/workflows/'*.yml' || return
  go run "$actionlint" -color=false -pyflakes= -shellcheck "$(command -v shellcheck)" "${list[@]}"
}

# --- Python -----------------------------------------------------------------------

check_ruff() {
  if have ruff; then
    ruff --version && ruff check --no-cache app && ruff format --no-cache --check app
    return
  fi
  local modules
  # Without it, its official WebAssembly build, which comes from npm.
  need node nodejs && need npm npm && modules=$(ruff_modules) && lines python_files || return
  node scripts/ruff/ruff.mjs "$modules" app "${list[@]}"
}

python_files() { sources 'app/*.py' | sed 's|^app/||'; }

# The folder with the pinned npm packages, installed once for each lock file.
ruff_modules() {
  local folder
  folder=$(cache_dir)/ruff/$(cksum <scripts/ruff/package-lock.json | tr -d ' ')
  if [ ! -e "$folder/complete" ]; then
    mkdir -p "$folder" && cp scripts/ruff/package.json scripts/ruff/package-lock.json "$folder/" &&
      run_logged "npm packages for ruff" "10 s" npm ci --prefix "$folder" --ignore-scripts --no-audit --no-fund &&
      : >"$folder/complete" || return
  fi
  printf '%s\n' "$folder"
}

# --- all of it ----------------------------------------------------------------------

have gofmt || fail "there is no go on the PATH" "make pulumi gets it, and make lint finds what that has got"
exec 3>&2 # past the log of a check, to the user
failed=()
log=$(mktemp)
trap 'rm -f "$log"' EXIT
step "Lint"
if [ $# -eq 0 ]; then set -- "${all[@]}"; fi
for name in "$@"; do
  case " ${all[*]} " in *" $name "*) ;; *) fail "no check is called $name" "known are ${all[*]}" ;; esac
  started=$SECONDS
  # In a subshell: a check may change the folder.
  if ("check_$name") >"$log" 2>&1 </dev/null; then
    ok "$name: $(human_time $((SECONDS - started)))"
    continue
  fi
  failed+=("$name")
  (fail "$name:") || true
  sed 's/^/        | /' "$log" >&2
done
if [ ${#failed[@]} -gt 0 ]; then fail "lint: ${failed[*]}" "once more, that alone: scripts/lint.sh ${failed[*]}"; fi
