# shellcheck shell=sh disable=SC2154 # work is set by static_list.sh, which comes before
ln -sfn "$1" current.new
mv -T current.new current

# The folders of releases that can't be returned to any more lose what was published.
list "$STATIC" >"$work/image"
for folder in r/*; do
  case " $* " in *" $folder "*) continue ;; esac
  case $folder in *.new) rm -rf "$folder"; continue ;; esac # of a publication that was cut off
  published=.published/${folder#r/}
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
  only "$work/ours" "$work/there" >"$work/left"
  echo "kept: $folder, of a release that can't be returned to any more, has files that the application may have written: $(wc -l <"$work/left"), such as $(names "$work/left" | head -n 1). What users upload belongs below /app/data"
done
rm -rf "$work"
