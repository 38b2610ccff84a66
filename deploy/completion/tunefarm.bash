# Completion of tunefarm for bash. Commands and options are asked of the program itself, so they are always its own.

_tunefarm_flags() {
    tunefarm "$1" --help 2>/dev/null | grep -oE -- '(^|[ ,])--[a-z][a-z0-9-]*' | tr -d ' ,' | sort -u
}

# Studies of the databases in this directory.
_tunefarm_studies() {
    local file
    for file in *.tunefarm.db; do
        [ -e "$file" ] && printf '%s\n' "${file%.tunefarm.db}"
    done
}

_tunefarm() {
    local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]}
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ] || { [ "$COMP_CWORD" -eq 2 ] && [ "$command" = help ]; }; then
        mapfile -t COMPREPLY < <(compgen -W "$(tunefarm --commands 2>/dev/null)" -- "$word")
        return
    fi
    case $previous in
    --db | --key | --config | --output | -o | --log-file)
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        return
        ;;
    --root)
        mapfile -t COMPREPLY < <(compgen -d -- "$word")
        return
        ;;
    --format | -f)
        mapfile -t COMPREPLY < <(compgen -W "csv jsonl" -- "$word")
        return
        ;;
    esac
    if [[ $word == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$(_tunefarm_flags "$command")" -- "$word")
        return
    fi
    case $command in
    run | submit)
        mapfile -t COMPREPLY < <(compgen -f -X '!*.@(yaml|yml|json)' -- "$word"; compgen -d -S / -- "$word")
        ;;
    show | watch | best | export | stop | pause | resume | logs | enqueue | why | replay | compact)
        mapfile -t COMPREPLY < <(compgen -W "$(_tunefarm_studies)" -- "$word")
        ;;
    backup | restore)
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        ;;
    esac
}

shopt -s extglob
complete -o filenames -F _tunefarm tunefarm
