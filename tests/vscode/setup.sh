#!/usr/bin/env bash
# Puts everything that the tests of the VS Code extension need into DIR: VS Code's own web server, and the packaged
# extension. Quick when it is there already. Wants node 20 and, for the tests themselves, chromium.
set -euo pipefail

dir=${1:?usage: setup.sh DIR}
here=$(cd "$(dirname "$0")" && pwd)
project=$(cd "$here/../.." && pwd)
extension=$project/editors/vscode
code_server=4.100.3
ripgrep=1.18.0
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
quiet=(--no-audit --no-fund --no-update-notifier --loglevel=error)

command -v node >/dev/null || { echo "setup.sh: node is missing" >&2; exit 1; }

# What the folders and files named hold, as one word.
digest() {
  ( cd "$project" && find "$@" -type f ! -name '*.pyc' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum )
}

# The server is in the npm package of code-server. Only that folder is taken: no install script runs, nothing is compiled.
vscode_server() {
  local want="$code_server $ripgrep $(digest tests/vscode/spdlog.js)" stamp=$dir/server/.version
  if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$want" ]; then return; fi
  rm -rf "$dir/server" && mkdir -p "$dir/server"
  ( cd "$dir/server"
    tar xzf "$(npm pack --silent "code-server@$code_server")" package/lib/vscode
    cd package/lib/vscode
    npm install --ignore-scripts --omit=dev "${quiet[@]}"
    # Without it nothing that looks for files works, `workspaceContains:` among it. Its install script would download it.
    tar xzf "$(npm pack --silent "@vscode/ripgrep-linux-x64@$ripgrep")" package/bin/rg
    mkdir -p node_modules/@vscode/ripgrep/bin && mv package/bin/rg node_modules/@vscode/ripgrep/bin/
    rm -rf node_modules/@vscode/spdlog && mkdir node_modules/@vscode/spdlog
    cp "$here/spdlog.js" node_modules/@vscode/spdlog/index.js
    rm -rf ./*.tgz ../../../*.tgz package )
  echo "$want" >"$stamp"
}

node_modules() {
  local want stamp=$extension/node_modules/.lock
  want=$(digest editors/vscode/package-lock.json)
  if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$want" ]; then return; fi
  ( cd "$extension" && npm ci --ignore-scripts "${quiet[@]}" )
  echo "$want" >"$stamp"
}

package() {
  local want stamp=$dir/vsix.digest at=editors/vscode
  want=$(digest evonic_lsp $at/src $at/python $at/scripts $at/images $at/package.json $at/.vscodeignore \
    $at/README.md $at/CHANGELOG.md $at/LICENSE)
  if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$want" ] && [ -f "$dir/evonic-lsp.vsix" ]; then return; fi
  ( cd "$extension" && npm run --silent check && npm run --silent package >"$dir/package.log" 2>&1 ) ||
    { cat "$dir/package.log" >&2; exit 1; }
  cp "$extension"/evonic-lsp-*.vsix "$dir/evonic-lsp.vsix"
  echo "$want" >"$stamp"
}

vscode_server
node_modules
package
echo "ready: $dir"
