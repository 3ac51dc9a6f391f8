/**
 * Debian packages through the host's apt, without touching the host: package lists, caches and the download go into a
 * directory of ours, nothing is installed, and no privilege is needed. apt checks the archive's signatures.
 */
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { GuestError } from '../errors.ts'
import { type CommandResult, NoSuchProgram, run } from './command.ts'

/** Told what is being done; `fraction` of it is done, from 0 to 1, where that is known. */
export type ReportStage = (stage: string, fraction?: number) => void

const DEBIAN_KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg'

/** What a person without apt can do. */
const WITHOUT_APT = 'boot images of your own with --kernel and --initrd, or run on a Debian host'

/**
 * Downloads `packageName` into `directory`; `suite` is the Debian release that has it, tried where the host's own
 * package sources do not.
 * @returns the path of the `.deb` file
 * @throws GuestError if there is no apt, no network, or no such package.
 */
export async function downloadPackage(
  packageName: string,
  suite: string,
  directory: string,
  report: ReportStage,
): Promise<string> {
  const host = new PrivateApt(join(directory, 'apt'), [])
  try {
    await host.prepare()
    const updated = await host.update(report)
    let downloaded = await host.download(packageName, directory, report)
    if (downloaded.status !== 0) {
      const other = await host.forSuite(suite)
      if (other !== undefined) {
        await other.update(report)
        downloaded = await other.download(packageName, directory, report)
      }
    }
    if (downloaded.status !== 0) throw cannotFetch(packageName, suite, updated, downloaded)
  } catch (cause) {
    if (!(cause instanceof NoSuchProgram)) throw cause
    throw new GuestError(`no apt-get on this host to fetch ${packageName} with; ${WITHOUT_APT}`, { cause })
  }
  const file = (await readdir(directory)).find((name) => name.endsWith('.deb'))
  if (file === undefined) throw new GuestError(`apt-get fetched nothing for ${packageName}; ${WITHOUT_APT}`)
  return join(directory, file)
}

/**
 * Unpacks a package's files into `directory`.
 * @throws GuestError if there is no dpkg, or it cannot.
 */
export async function unpackPackage(packageFile: string, directory: string): Promise<void> {
  try {
    const result = await run('dpkg-deb', ['--extract', packageFile, directory])
    if (result.status !== 0) throw new GuestError(`cannot unpack ${packageFile}: ${lastLine(result.stderr)}`)
  } catch (cause) {
    if (!(cause instanceof NoSuchProgram)) throw cause
    throw new GuestError(`no dpkg-deb on this host to unpack ${packageFile} with; ${WITHOUT_APT}`, { cause })
  }
}

/** apt-get with directories of its own. */
class PrivateApt {
  readonly #directory: string
  readonly #options: readonly string[]

  constructor(directory: string, options: readonly string[]) {
    this.#directory = directory
    const settings = [
      `Dir::State::Lists=${join(directory, 'lists')}`,
      `Dir::Cache=${join(directory, 'cache')}`,
      // Else apt, started by root, downloads as a user who may not write here, and warns.
      `APT::Sandbox::User=${userInfo().username}`,
      'Acquire::Languages=none',
      'Acquire::Retries=2',
      'APT::Status-Fd=3',
    ]
    this.#options = ['-q', ...[...settings, ...options].flatMap((setting) => ['-o', setting])]
  }

  async prepare(): Promise<void> {
    await mkdir(join(this.#directory, 'lists', 'partial'), { recursive: true })
    await mkdir(join(this.#directory, 'cache', 'archives', 'partial'), { recursive: true })
  }

  update(report: ReportStage): Promise<CommandResult> {
    return this.#run(['update'], this.#directory, (fraction) => report('reading package lists', fraction))
  }

  download(packageName: string, directory: string, report: ReportStage): Promise<CommandResult> {
    return this.#run(['download', packageName], directory, (fraction) => report(`fetching ${packageName}`, fraction))
  }

  /** The same mirror, but another release; undefined if none of the host's sources is a Debian one. */
  async forSuite(suite: string): Promise<PrivateApt | undefined> {
    const listed = await run('apt-get', [
      ...this.#options,
      'indextargets',
      '--format',
      '$(ORIGIN) $(COMPONENT) $(SITE)',
    ])
    const mirror = /^Debian main (\S+)$/m.exec(listed.stdout)?.[1]
    if (mirror === undefined) return undefined
    const directory = join(this.#directory, suite)
    const other = new PrivateApt(directory, [
      `Dir::Etc::SourceList=${join(directory, 'sources.list')}`,
      'Dir::Etc::SourceParts=/dev/null',
    ])
    await other.prepare()
    await writeFile(join(directory, 'sources.list'), `deb [signed-by=${DEBIAN_KEYRING}] ${mirror} ${suite} main\n`)
    return other
  }

  #run(args: readonly string[], cwd: string, onFraction: (fraction: number) => void): Promise<CommandResult> {
    const onStatusLine = (line: string) => {
      // "dlstatus:<files>:<percent>:<text>"
      const percent = /^dlstatus:\d+:([\d.]+):/.exec(line)?.[1]
      if (percent !== undefined) onFraction(Number(percent) / 100)
    }
    return run('apt-get', [...this.#options, ...args], { cwd, onStatusLine })
  }
}

function cannotFetch(
  packageName: string,
  suite: string,
  updated: CommandResult,
  downloaded: CommandResult,
): GuestError {
  const why = [downloaded.stderr, updated.stderr].map(lastError).find((line) => line !== '') ?? 'apt-get failed'
  return new GuestError(
    `cannot fetch ${packageName} (Debian ${suite}): ${why}; ` +
      "check the network and apt's sources, or boot your own with --kernel and --initrd",
  )
}

function lastError(stderr: string): string {
  return lastLine(stderr.replaceAll(/^(?!E:).*$/gm, ''))
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1)?.replace(/^E: /, '') ?? ''
}
