# shellcheck shell=sh disable=SC2154 # work is set by static_list.sh, which comes before
ln -sfn "$1" current.new
mv -T current.new current

# tell FOLDER OF NAMES: that the files of those names may be the application's own.
tell() {
  echo "kept: $1, of $2, has files that the application may have written: $(wc -l <"$3"), such as $(head -n 1 "$3"). Users get those of the current release; what users upload belongs below /app/data"
}

# The folders of releases that can't be returned to any more lose what was published.
list "$STATIC" >"$work/image"
for folder in r/*; do
  published=.published/${folder#r/}
  case $folder in
  "$1") continue ;;
  *.new) rm -rf "$folder"; continue ;; # of a publication that was cut off
  esac
  case " $* " in *" $folder "*)
    # What was written there was served until now, so it is now that somebody has to know.
    # By name alone: all that can be returned to would have to be read otherwise.
    if [ -e "$published" ]; then
      names "$published" >"$work/ours"
      (cd "$folder" && find . -type f -o -type l) >"$work/there"
      only "$work/ours" "$work/there" >"$work/left"
      if [ -s "$work/left" ]; then tell "$folder" "an earlier release" "$work/left"; fi
    fi
    continue
    ;;
  esac
  # A folder from before there were lists: what this image has, too, can't be lost.
  if [ ! -e "$published" ]; then cp "$work/image" "$published"; fi
  list "$folder" >"$work/there"
  both "$published" "$work/there" >"$work/ours"
  names "$work/ours" | tr '\n' '\0' | (cd "$folder" && xargs -0 rm -f --)
  find "$folder" -depth -type d -exec rmdir {} + 2>/dev/null || :
  if [ ! -d "$folder" ]; then
    rm -f "$published"
    continue
  fi
  only "$work/ours" "$work/there" >"$work/others"
  names "$work/others" >"$work/left"
  tell "$folder" "a release that can't be returned to any more" "$work/left"
done
rm -rf "$work"
