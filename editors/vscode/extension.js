// Starts the language server, and nothing else.

const { workspace } = require('vscode');
const { LanguageClient } = require('vscode-languageclient/node');

const NAME = 'sqledge-ha';
let client;

function activate() {
  const settings = workspace.getConfiguration(NAME);
  const options = ['engine', 'config', 'partial'].map((key) => [key, settings.get(key)]);
  client = new LanguageClient(
    NAME,
    { command: settings.get('path') || NAME, args: ['lsp'] },
    {
      documentSelector: [{ language: 'yaml' }, { language: 'json' }],
      initializationOptions: Object.fromEntries(options),
      synchronize: { configurationSection: NAME },
    },
  );
  return client.start();
}

function deactivate() {
  return client && client.stop();
}

module.exports = { activate, deactivate };
