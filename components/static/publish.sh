# shellcheck shell=sh disable=SC2154 # work is set by static_list.sh, which comes before
folder=$1
published=.published/${folder#r/}
list "$STATIC" >"$work/image"
touch "$published"
if [ ! -d "$folder" ]; then
  # It appears when it is whole.
  rm -rf "$folder.new"
  cp -pR "$STATIC/." "$folder.new"
  sort -u "$published" "$work/image" >"$work/published"
  mv "$work/published" "$published"
  mv "$folder.new" "$folder"
else
  # It has run before, or its image has moved on under the same name: what is missing
  # comes, and what is as it was published may be replaced.
  list "$folder" >"$work/there"
  both "$published" "$work/there" >"$work/ours"
  names "$work/ours" >"$work/ours.names"
  only "$work/there" "$work/image" >"$work/missing"
  names "$work/missing" | while IFS= read -r file; do
    if [ -e "$folder/$file" ] || [ -h "$folder/$file" ]; then
      if ! grep -q -F -x -e "$file" "$work/ours.names"; then
        echo "kept: $folder/${file#./} was changed by the application"
        continue
      fi
    fi
    mkdir -p "$(dirname "$folder/$file")"
    cp -pP "$STATIC/$file" "$work/file"
    mv -T "$work/file" "$folder/$file"
  done
  sort -u "$published" "$work/image" >"$work/published"
  mv "$work/published" "$published"
fi
rm -rf "$work"
