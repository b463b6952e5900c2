// Update a list with tuf-js from a pinned root, and say what was installed or why nothing was.
// node update.mjs ROOT ADDRESS LIST FOLDER   (the access token is in WARDLIST_TOKEN)
import fs from 'node:fs'
import path from 'node:path'
import { BaseFetcher, Updater } from 'tuf-js'
import { DownloadHTTPError } from 'tuf-js/dist/error.js'

const [root, address, list, folder] = process.argv.slice(2)

/** tuf-js leaves it to a fetcher of one's own to sign in. */
class Bearer extends BaseFetcher {
  async fetch(url) {
    const answer = await fetch(url, {
      headers: { authorization: `Bearer ${process.env.WARDLIST_TOKEN}` },
    })
    if (!answer.ok) {
      throw new DownloadHTTPError(`the service answered ${answer.status}`, answer.status)
    }
    return answer.body
  }
}

const metadataDir = path.join(folder, 'metadata')
const targetDir = path.join(folder, 'targets')
fs.mkdirSync(metadataDir, { recursive: true })
fs.mkdirSync(targetDir, { recursive: true })
if (!fs.existsSync(path.join(metadataDir, 'root.json'))) {
  fs.copyFileSync(root, path.join(metadataDir, 'root.json'))
}

async function download(updater, target) {
  const found = await updater.getTargetInfo(target)
  if (!found) throw new Error('there is no such target')
  return fs.readFileSync(await updater.downloadTarget(found))
}

try {
  const updater = new Updater({
    metadataDir,
    metadataBaseUrl: `${address}/tuf/metadata`,
    targetDir,
    targetBaseUrl: `${address}/tuf/targets`,
    fetcher: new Bearer(),
  })
  await updater.refresh()
  const manifest = JSON.parse(await download(updater, `lists/${list}/manifest.json`))
  const body = await download(updater, manifest.artefacts.jsonl.path)
  const entries = body.toString().split('\n').filter(Boolean).length
  console.log(JSON.stringify({ version: manifest.version, entries }))
} catch (failure) {
  console.log(JSON.stringify({ refused: failure.constructor.name, status: failure.statusCode ?? null }))
  process.exitCode = 1
}
