# Reads what a server says to a worker, one message of JSON a line, and prints what there is to do, as calls of a shell function. Of a task
# that is given it makes a file with its command, to be read by a shell. JSON is cut at its quotation marks: what is
# between two of them is text, the rest is structure. In N are the lengths of lists, in V all other values, by their paths.
BEGIN { RS = "\""; CONVFMT = "%.17g"; root = "m" }
{ feed($0) }
END { print "seen=$((seen + " lines + 0 "))" }
function feed(piece) {
  if (!inside) { walk(piece); inside = 1; text = ""; return }
  text = text piece
  if (match(piece, /\\+$/) && RLENGTH % 2) { text = text "\""; return }
  inside = 0
  put(plain(text))
}
function walk(piece, c) {
  while (piece != "") {
    if (match(piece, /^[-+.0-9A-Za-z]+/)) { put(substr(piece, 1, RLENGTH)); piece = substr(piece, RLENGTH + 1); continue }
    c = substr(piece, 1, 1); piece = substr(piece, 2)
    if (c == "{" || c == "[") { c = (c == "[") c; at[depth + 1] = place(); list[++depth] = +c; size[depth] = 0 }
    else if (c == "}" || c == "]") { if (list[depth]) N[at[depth]] = size[depth]; depth-- }
    else if (c == "\n" && root == "m") { lines++; message(); split("", V); split("", N) }
  }
}
function place() { named = 0; return depth == 0 ? root : at[depth] "." (list[depth] ? size[depth]++ : word) }
function put(value) {
  if (depth > 0 && !list[depth] && !named) { word = value; named = 1; return }
  if (at[depth] == "c.env") V["env"] = V["env"] " " quote(word "=" value)
  V[place()] = value
}
function plain(text, n, part, i, c, out) {
  n = split(text, part, /\\/)
  out = part[1]
  for (i = 2; i <= n; i++) {
    c = substr(part[i], 1, 1)
    if (c == "") out = out "\\" part[++i]
    else if (c != "u") out = out (c in escapes ? escapes[c] : c) substr(part[i], 2)
    else {
      c = hex(substr(part[i], 2, 4))
      if (c >= 55296 && c < 56320 && part[i + 1] ~ /^u[dD][c-fC-F]/) c = (c - 55296) * 1024 + hex(substr(part[++i], 2, 4)) + 9216
      out = out utf8(c) substr(part[i], 6)
    }
  }
  return out
}
BEGIN { escapes["n"] = "\n"; escapes["t"] = "\t"; escapes["r"] = "\r"; escapes["b"] = "\b"; escapes["f"] = "\f" }
function hex(digits, i, n) { for (i = 1; i <= 4; i++) n = n * 16 + index("123456789abcdef", tolower(substr(digits, i, 1))); return n }
function utf8(c) {
  if (c < 128) return sprintf("%c", c)
  if (c < 2048) return sprintf("%c%c", 192 + int(c / 64), 128 + c % 64)
  if (c < 65536) return sprintf("%c%c%c", 224 + int(c / 4096), 128 + int(c / 64) % 64, 128 + c % 64)
  return sprintf("%c%c%c%c", 240 + int(c / 262144), 128 + int(c / 4096) % 64, 128 + int(c / 64) % 64, 128 + c % 64)
}
function quote(text) {
  if (text ~ /^[A-Za-z0-9_.+\/-]+$/) return text
  gsub(/'/, "'\"'\"'", text)
  return "'" text "'"
}
function say(what, which, why) { print "hear", what, quote(which), quote(why) }
function message(kind, job, file, i, index_, end, item) {
  kind = V["m.kind"]; job = V["m.job"]
  if (kind == "job") {
    file = "jobs/" job
    print V["m.timeout"] + 0, "m.range.start" in V, V["m.range.start"] + 0, V["m.range.step"] + 0, V["m.memory"] + 0 >file
    close(file)
    file = file ".code"
    if ("m.inline" in V) printf "%s", V["m.inline"] >file
    else system("fetch() { [ -n \"${WGETRC-}\" ] || set -- --header \"Authorization: Bearer $token\"; wget -q -O " file " \"$@\" \"$server/v1/blobs/" V["m.code.sha256"] "\"; }; fetch || fetch")
    close(file)
  }
  else if (kind == "welcome") say(kind, V["m.worker"])
  else if (kind == "dismiss") say(kind, V["m.how"])
  else if (kind == "jobOver") say(kind, job)
  else if (kind == "refused") say(kind, V["m.code"], V["m.detail"])
  else if (N["m.runs"]) for (i = 0; i < N["m.runs"]; i++) {
    end = V["m.runs." i ".0"] + V["m.runs." i ".1"]
    for (index_ = V["m.runs." i ".0"] + 0; index_ < end; index_++)
      if (kind == "tasks") task(V["m.lease"], job, index_, "m.values." item++ ".value")
      else say(kind, V["m.lease"] "." index_)
  }
}
function load(job, piece, fact) {
  if (known[job]++) return
  getline piece <("jobs/" job)
  split(piece, fact, " ")
  limit[job] = fact[1]; isRange[job] = fact[2]; start[job] = fact[3]; step[job] = fact[4]
  root = "c"; inside = 0
  while ((getline piece <("jobs/" job ".code")) > 0) feed(piece)
  root = "m"
  command[job] = V["c.command"]; environment[job] = V["env"]
  if (!("c.command" in V)) unable[job] = "the code of its job was not to be had"
  else if (fact[5] + N["c.send"] + N["c.collect"] + N["c.names"] || V["c.pipe"] == "true" || "c.mark" in V || "c.directory" in V)
    unable[job] = "a worker in a shell has no files, names, marks, blocks of stdin, memory limits and shared directories for commands"
}
function task(lease, job, index_, input, n, i, sequence, why, file) {
  load(job)
  sequence = index_ + 1
  split("", A)
  why = unable[job]
  if (isRange[job]) A[n = 1] = number(start[job] + index_ * step[job])
  else if (input in V) A[n = 1] = V[input]
  else {
    if (input ".sequence" in V) sequence = V[input ".sequence"]
    if (N[input ".files"]) why = "a worker in a shell receives no files"
    if (input ".args" in N) input = input ".args"
    if (input in N) for (n = 0; n < N[input]; n++) A[n + 1] = V[input "." n]
    else why = "a worker in a shell takes lists of texts alone as inputs"
  }
  if (why != "") { say("unable", lease "." index_, why); return }
  file = lease "." index_ ".task"
  print "job=" quote(job) " lease=" quote(lease) " index=" index_ " limit=" limit[job] "\nset --" environment[job] "\ncommand=" quote(fill(command[job], n, sequence)) >file
  close(file)
  say("task", lease "." index_)
}
function number(x, digits) { for (digits = 15; sprintf("%." digits "g", x) + 0 != x; digits++); return sprintf("%." digits "g", x) }
function fill(rest, n, sequence, out, mark, form, i) {
  if (rest == "") { for (i = 1; i <= n; i++) out = out (i > 1 ? " " : "") A[i]; return out }
  while (match(rest, /[{](-?[1-9][0-9]*)?(\.|\/\/|\/\.|\/)?[}]|[{][#%][}]/)) {
    out = out substr(rest, 1, RSTART - 1)
    mark = form = substr(rest, RSTART + 1, RLENGTH - 2)
    rest = substr(rest, RSTART + RLENGTH)
    sub(/^-?[0-9]+/, "", form)
    i = mark + 0; if (i < 0) i += n + 1
    if (mark == "#") out = out sequence
    else if (mark == "%") out = out 1
    else if (mark + 0 != 0) out = out (i in A ? quote(formed(A[i], form)) : "")
    else for (i = 1; i <= n; i++) out = out (i > 1 ? " " : "") quote(formed(A[i], form))
  }
  return out rest
}
function formed(value, form, base) {
  if (form == "") return value
  base = value
  if (form == "//") return sub(/\/[^\/]*$/, "", base) ? (base == "" ? "/" : base) : "."
  if (form != ".") sub(/.*\//, "", base)
  if (form != "/") sub(/\.[^\/.]+$/, "", base)
  return base
}