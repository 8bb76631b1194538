--- `pcapi completion`: prints a script that completes the command line in a shell. The script calls
-- the command again for the words, so it never gets out of date.
-- @module pcapi.cli.commands.completion
local output = require "pcapi.cli.output"

-- Each script prints nothing but words: if pcapi fails, there are none.
local SCRIPTS = {}

-- COMP_WORDS is split at = and @, so the line is split again, and only the end of a word is
-- offered.
SCRIPTS.bash = [==[
# bash completion of pcapi
_pcapi() {
    local IFS=$' \t\n' words word typed before
    read -a words <<<"${COMP_LINE:0:COMP_POINT}"
    [[ ${COMP_LINE:0:COMP_POINT} == *[[:blank:]] ]] && words+=("")
    typed=${words[${#words[@]}-1]}
    before=${typed%"${typed##*["$COMP_WORDBREAKS"]}"}
    before=${before%@} # belongs to the word behind it
    COMPREPLY=()
    while IFS= read -r word; do
        case $word in
            :file) compopt -o default ;;
            :folder) compopt -o dirnames ;;
            :open) compopt -o nospace ;;
            *) COMPREPLY+=("${word#"$before"}") ;;
        esac
    done < <("$1" completion bash -- "${words[@]:1}" 2>/dev/null </dev/null)
}
complete -F _pcapi pcapi
]==]

SCRIPTS.zsh = [==[
#compdef pcapi
_pcapi() {
    local -a found
    local text line after=' '
    text=$("${(Q)words[1]}" completion zsh -- "${(@Q)words[2,CURRENT]}" 2>/dev/null </dev/null)
    for line in ${(f)text}; do
        case $line in
            :file) compset -P '--*='; _files; return ;;
            :folder) compset -P '--*='; _path_files -/; return ;;
            :open) after='' ;;
            *) found+=("$line") ;;
        esac
    done
    _describe -V pcapi found -S "$after"
}
if [[ $funcstack[1] == _pcapi ]]; then
    _pcapi "$@"
else
    compdef _pcapi pcapi
fi
]==]

SCRIPTS.fish = [==[
# fish completion of pcapi
function __pcapi_complete
    set -l words (commandline -opc)
    set -l typed (commandline -ct)
    set -l found ($words[1] completion fish -- $words[2..-1] "$typed" 2>/dev/null </dev/null)
    set -l option (string match -r '^--[^=]*=' -- "$typed")
    set -l path (string replace -r '^--[^=]*=' '' -- "$typed")
    switch "$found[1]"
        case :file
            set found (__fish_complete_path "$path")
        case :folder
            set found (__fish_complete_directories "$path")
        case '*'
            string match -v -r '^:' -- $found
            return
    end
    set -q found[1]; and printf "$option%s\n" $found
end
complete -c pcapi -f -a '(__pcapi_complete)'
]==]

-- How each shell reads a word and its meaning.
local FORMATS = {
  bash = function(word)
    return word
  end,
  zsh = function(word, meaning)
    return word:gsub("[\\:]", "\\%0") .. (meaning and ":" .. meaning or "")
  end,
  fish = function(word, meaning)
    return word .. (meaning and "\t" .. meaning or "")
  end,
}

local function candidates_text(shell, words)
  local found, kind = require("pcapi.cli.candidates").of(words)
  local lines = { kind and ":" .. kind }
  for _, candidate in ipairs(found) do
    lines[#lines + 1] = FORMATS[shell](candidate[1], candidate[2])
  end
  return #lines > 0 and table.concat(lines, "\n") .. "\n" or ""
end

return {
  summary = "Print a shell completion script",
  about = {
    "Print a script that completes commands, options, profiles and columns in a shell. In bash, "
      .. "add the first example to ~/.bashrc; in zsh, the second one to ~/.zshrc, after compinit; "
      .. "in fish, run the third one once.",
    "With words after --, print those that can follow them. The script uses this.",
  },
  arguments = {
    { "shell", value = "SHELL", about = "Shell that will run the script",
      choices = { "bash", "zsh", "fish" } },
    { "words", value = "WORD", optional = true, many = true,
      about = "Words of a command line after pcapi, the last one incomplete" },
  },
  common = { "--help" },
  examples = {
    { "bash", "source <(pcapi completion bash)" },
    { "zsh", "source <(pcapi completion zsh)" },
    { "fish", "pcapi completion fish > ~/.config/fish/completions/pcapi.fish" },
  },
  run = function(args)
    output.write(#args.words > 0 and candidates_text(args.shell, args.words) or SCRIPTS[args.shell])
  end,
}
