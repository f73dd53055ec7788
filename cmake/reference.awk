# SPDX-License-Identifier: BSD-3-Clause
# The library's comments as doxygen wants them, line for line: // above a declaration or behind one. Lines that are
# indented by four spaces are code, which doxygen sees after an empty line alone.

# Text that doxygen would take for commands or tags.
function escaped(s)
{
    gsub(/[\\@<>#&$%"|*_`~]/, "\\\\&", s)
    gsub(/\\"/, "\"", s)
    return s
}
function is_comment(s) { return s ~ /^[ ]*\/\/( |$)/ }
function is_section(s) { return s ~ /^[ ]*\/\/ (----|SPDX)/ }
function of_comment(s) { sub(/^[ ]*\/\/ ?/, "", s); return s }
function is_code(s) { return of_comment(s) ~ /^    / }
# What follows another declaration of a namespace without an empty line: both have the comment above.
function is_overload(i)
{
    return above != "" && lines[i] ~ /^    [[a-z]/ && lines[i - 1] ~ /^    ([}]|[^ ].*[;}]( *\/\/.*)?$)/
}
# Whether the comment above line i is the file's. Above a namespace inside jackplane it is that one's.
function is_below_file_comment(i)
{
    return is_comment(lines[i - 1]) && !is_section(lines[i - 1]) &&
           lines[i] ~ /^(#include|namespace jackplane(::inline (v0|JACKPLANE_TARGET))*( \/\/.*)?$)/
}

# lines[first .. last] are a comment; what follows it decides whether it is one of a declaration.
function comment(first, last,    i, s, next_line, of_file)
{
    next_line = lines[last + 1]
    of_file = is_below_file_comment(last + 1)
    if (next_line ~ /^[ ]*$/ || (next_line ~ /^[ ]*[})#]/ && !of_file) || is_section(lines[first]))
    {
        for (i = first; i <= last; ++i)
            if (i > 1 || !has_file_comment) # SPDX gives its line to \\file
                print ""
        return
    }
    if (of_file)
        print "/// \\file"
    for (i = first; i <= last; ++i)
    {
        s = of_comment(lines[i])
        if (!is_code(lines[i]))
            s = escaped(s)
        if (i < last && !is_code(lines[i]) && is_code(lines[i + 1]) && s != "")
        {
            s = s " \\code"
            verbatim = 1
        }
        if (verbatim && is_code(lines[i]) && (i == last || !is_code(lines[i + 1])))
        {
            s = s " \\endcode"
            verbatim = 0
        }
        print "/// " s
        if (lines[last + 1] ~ /^    [^ ]/ && !is_code(lines[i]))
            above = (i == first ? "" : above " ") escaped(of_comment(lines[i]))
    }
}

{ lines[NR] = $0 }
END {
    for (i = 2; i <= NR; ++i)
        has_file_comment = has_file_comment || is_below_file_comment(i)
    for (i = 1; i <= NR; ++i)
    {
        if (is_comment(lines[i]))
        {
            for (last = i; is_comment(lines[last + 1]) && !is_section(lines[last + 1]); ++last)
                ;
            if (lines[i] ~ /^ ? ? ? ?\/\//)
                above = ""
            comment(i, last)
            i = last
            continue
        }
        s = lines[i]
        if (is_overload(i))
            s = "/** " above " */ " s
        gsub(/\[\[gnu::always_inline\]\] /, "", s)
        if (s ~ /^namespace /)
        {
            gsub(/::inline (v0|JACKPLANE_TARGET)/, "", s)
            sub(/ \/\/.*/, "", s)
            if (s == "namespace jackplane") # undocumented, it would have no page
                s = "/** What the library offers; what its words mean: the main page. */ " s
        }
        else if (match(s, /[^ ] *\/\/ /) && s !~ /"[^"]*\/\/[^"]*"/)
        {
            at = index(s, "// ")
            code = substr(s, 1, at - 1)
            text = escaped(substr(s, at + 3))
            if (code ~ /;[ ]*$/)
                s = code "///< " text
            else if (code ~ /^ *(struct|class|enum) / || lines[i + 1] ~ /^    [{]$/)
                s = "/** " text " */ " code
            else
                s = code
        }
        print s
    }
}
