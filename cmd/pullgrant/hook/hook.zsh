# Keeps what the last kubectl said on stderr, for "pullgrant why". Stdin, stdout and the exit code are kubectl's own.
kubectl() {
  setopt localoptions nomultios # else stdout goes both ways
  case ${1-} in
    (pullgrant | completion | __complete) command kubectl "$@"; return ;;
  esac
  { command kubectl "$@" 2>&1 >&3 3>&- | command tee FILE >&2 3>&-; return $pipestatus[1]; } 3>&1
}
