{{- /*
No value is the text of a secret: values, the RayService and ConfigMaps are readable in the cluster. What one looks like is
in files/secrets.yaml. No message has the text itself, so this comes before every other check.
*/ -}}

{{- /* Takes the root. Gives nothing, or fails with every place. */ -}}
{{- define "ray-serve-llm.refuseSecrets" -}}
{{- $table := .Files.Get "files/secrets.yaml" | fromYaml -}}
{{- $exempt := keys (.Values.notSecrets | default dict) -}}
{{- if include "ray-serve-llm.maySecretsBeIn" (dict "values" .Values "exempt" $exempt "table" $table) -}}
{{- $_ := set $table "known" dict -}}
{{- $_ := set $table "fixes" dict -}}
{{- $_ := set $table "exemptBy" dict -}}
{{- $found := include "ray-serve-llm.secretsIn" (dict "node" (.Values | toJson | fromJson) "path" list "key" "" "exempt" $exempt "table" $table) | trim -}}
{{- if $found -}}
{{- $fixes := keys $table.fixes | sortAlpha -}}
{{- with keys $table.exemptBy | sortAlpha -}}
{{- $fixes = append $fixes (printf "If it is no secret, say why in %s." (join ", " .)) -}}
{{- end -}}
{{- fail (printf "\n%s\n%s" $found (join "\n" $fixes)) -}}
{{- end -}}
{{- end -}}
{{- range $of, $secret := dict "huggingFace" .Values.huggingFace "auth.apiKey" .Values.auth.apiKey -}}
{{- if not (regexMatch "^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?)?$" $secret.existingSecret) -}}
{{- fail (printf "\n- %s.existingSecret: it is no name of a Secret. Name one (lower-case letters, digits, '-' and '.'); the %s is in it, below %s.key." $of (ternary "token" "key" (eq $of "huggingFace")) $of) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /*
Takes values, exempt (keys of no secrets) and table. Gives `true` where a look at every value is worth its time: some text has the shape of a secret, or
some key the name of one. Escaped line ends and the like are spaces here, so that words begin where they do in the text.
*/ -}}
{{- define "ray-serve-llm.maySecretsBeIn" -}}
{{- $text := regexReplaceAll `\\([nrtbf]|u00[0-9a-f]{2})` (toRawJson .values) " " -}}
{{- $may := or (regexMatch .table.any $text) (regexMatch .table.mayBeWritten $text) -}}
{{- /* A text's own key, the key of a map with its value, and the name beside a value. */ -}}
{{- range concat
  (regexFindAll `"[^"\\]+":(?:["0-9\[]|\{[^{}]*"value":)` $text -1)
  (regexFindAll `"name":"[^"\\]+"[^{}]*"value":` $text -1) | uniq -}}
{{- $key := regexReplaceAll `":(?s:.*)$` (trimPrefix `"` (trimPrefix `"name":` .)) "" -}}
{{- $key = regexReplaceAll `"(?s:.*)$` $key "" -}}
{{- if and (not (has $key $.exempt)) (regexMatch $.table.name $key) (not (regexMatch $.table.none $key)) -}}
{{- $may = true -}}
{{- end -}}
{{- end -}}
{{- ternary "true" "" $may -}}
{{- end -}}

{{- /*
Takes node (a value), path (keys to it), key (the nearest), before (the option before it in a list, as it is written; may
be left out), exempt (keys of no secrets) and table. Gives a line each.
*/ -}}
{{- define "ray-serve-llm.secretsIn" -}}
{{- if kindIs "map" .node -}}
{{- range $key, $value := .node -}}
{{- if ne $key "notSecrets" -}}
{{- include "ray-serve-llm.secretsIn" (dict "node" $key "path" (append $.path "(a key)") "key" "" "exempt" list "table" $.table) -}}
{{- /* A name says nothing of what is further below, but of its value. */ -}}
{{- $called := $key -}}
{{- if eq $key "value" -}}
{{- $name := get $.node "name" -}}
{{- $called = ternary $name $.key (and (kindIs "string" $name) (ne (toString $name) "")) -}}
{{- end -}}
{{- if or (kindIs "map" $value) (not (has $called $.exempt)) -}}
{{- include "ray-serve-llm.secretsIn" (dict "node" $value "path" (append $.path $key) "key" $called "exempt" $.exempt "table" $.table) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- else if kindIs "slice" .node -}}
{{- $option := "" -}}
{{- $written := "" -}}
{{- range $number, $value := .node -}}
{{- /* The item after an option is what it is given, unless that is another option. */ -}}
{{- $called := ternary $.key $option (or (eq $option "") (hasPrefix "-" (toString $value))) -}}
{{- if or (ne $called $option) (not (has $option $.exempt)) -}}
{{- $before := ternary $written "" (and (ne $option "") (eq $called $option)) -}}
{{- include "ray-serve-llm.secretsIn" (dict "node" $value "path" (append $.path (toString $number)) "key" $called "before" $before "exempt" $.exempt "table" $.table) -}}
{{- end -}}
{{- $option = "" -}}
{{- if and (kindIs "string" $value) (regexMatch $.table.option (toString $value)) -}}
{{- $option = regexReplaceAll $.table.option $value "${1}" -}}
{{- $written = $value -}}
{{- end -}}
{{- end -}}
{{- else if not (or (kindIs "bool" .node) (kindIs "invalid" .node)) -}}
{{- include "ray-serve-llm.secretIn" . -}}
{{- end -}}
{{- end -}}

{{- /*
Takes the same of a text or a number. What was found of its text is kept in table.known: a fleet repeats itself. The key of
an app's file is the file's name, and words of a program say nothing, so only its shapes count; as where table.harmlessPlaces says.
*/ -}}
{{- define "ray-serve-llm.secretIn" -}}
{{- $text := toString .node -}}
{{- $code := and (eq (len .path) 4) (eq (first .path) "apps") (eq (index .path 2 | default "") "files") -}}
{{- $code = or $code (regexMatch .table.harmlessPlaces (join "." .path)) -}}
{{- $asked := printf "%t %s=%s=%s" $code .key (.before | default "") $text -}}
{{- if not (hasKey .table.known $asked) -}}
{{- $what := "" -}}
{{- $called := .key -}}
{{- if $code -}}
{{- else if and (regexMatch .table.name .key) (not (regexMatch .table.none .key)) (not (regexMatch .table.placeholder $text)) -}}
{{- $what = "has the text of a secret, going by its name" -}}
{{- else if or (contains "-" $text) (contains "=" $text) (contains ":" $text) -}}
{{- range $pattern := reverse .table.written -}}
{{- range regexFindAll $pattern $text -1 | reverse -}}
{{- $name := regexReplaceAll $pattern . "${1}" -}}
{{- if and (not (has $name $.exempt)) (regexMatch $.table.name $name) (not (regexMatch $.table.none $name)) (not (regexMatch $.table.placeholder (regexReplaceAll $pattern . "${2}"))) -}}
{{- $what = printf "has the text of a secret in '%s', going by its name" $name -}}
{{- $called = $name -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $plain := regexReplaceAll .table.examples $text " " -}}
{{- range $shape, $pattern := .table.shapes -}}
{{- /* A login is one by the option that takes it: `-u`, `admin:…`. */ -}}
{{- if or (regexMatch $pattern $plain) (and $.before (regexMatch $pattern (printf "%s %s" $.before $plain))) -}}
{{- $what = printf "is or holds %s" $shape -}}
{{- $called = $.key -}}
{{- if contains "\n" $text -}}
{{- $above := splitList (regexFind $pattern $plain) $plain | first -}}
{{- $what = printf "%s, in line %d of the text" $what (splitList "\n" $above | len) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $_ := set .table.known $asked (list $what $called) -}}
{{- end -}}
{{- $what := index (get .table.known $asked) 0 -}}
{{- $called := index (get .table.known $asked) 1 -}}
{{- if $what -}}
{{- $place := join "." .path -}}
{{- $fix := "" -}}
{{- range reverse .table.waysOut -}}
{{- if regexMatch .where $place -}}
{{- $fix = .fix -}}
{{- end -}}
{{- end -}}
{{- $isKey := eq (last .path | toString) "(a key)" -}}
{{- $_ := set .table.fixes (ternary "Give a key another name: keys are printed." $fix $isKey) true -}}
{{- if not $isKey -}}
{{- $_ := set .table.exemptBy (printf "notSecrets.%s" $called) true -}}
{{- end }}
- {{ $place }}: it {{ $what }}.
{{- end -}}
{{- end -}}
