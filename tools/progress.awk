# Shows how far `pip install -r LOCK` is: pip … | awk -v total=120 -v terminal=1 -f tools/progress.awk
# One line that changes on a terminal; every 20th package and the end elsewhere. Errors go past it, to standard error.
function show(what) {
  if (terminal) printf "\r\033[K  %d of %d: %s", seen, total, what
  else if (seen % 20 == 0) printf "  %d of %d packages\n", seen, total
  fflush()
}
/^(Collecting|Ignoring|Requirement already satisfied:) / {
  seen++
  name = /^Requirement/ ? $4 : $2
  sub(/[=:;].*/, "", name)
  show(name)
}
/^Installing collected packages/ {
  if (terminal) printf "\r\033[K"
  printf "  unpacking %d packages\n", gsub(/,/, ",") + 1
  fflush()
}
END { if (terminal && seen) printf "\r\033[K" }
