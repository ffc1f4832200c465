# Keeps what the last kubectl said on stderr, for "pullgrant why". Stdin, stdout and the exit code are kubectl's own.
function kubectl --wraps kubectl
    if contains -- "$argv[1]" pullgrant completion __complete
        command kubectl $argv
        return
    end
    command kubectl $argv 2>| command tee FILE >&2
    return $pipestatus[1]
end
