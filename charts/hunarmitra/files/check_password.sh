# Stop a bundled PostgreSQL whose volume was made with another password, and say so: the server would start, reject
# every connection, and no pod of the release would become ready.
set -eu
folder=${DATA:-/data}
mark=$folder/password.sha256
now=$(printf '%s' "$POSTGRES_PASSWORD" | sha256sum | cut -d' ' -f1)
if [ ! -e "$mark" ]; then
  printf '%s' "$now" > "$mark"
elif [ "$now" != "$(cat "$mark")" ]; then
  echo "The volume of the bundled PostgreSQL was made with another password, so with another secrets.secretKey (or POSTGRES_PASSWORD in secrets.existingSecret). Install with the earlier one, or delete the claim $CLAIM and with it all data."
  exit 1
fi
