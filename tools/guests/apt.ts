/**
 * Debian packages through the host's apt, without touching the host: package lists, caches and the download go into a
 * directory of ours, nothing is installed, and no privilege is needed. apt checks the archive's signatures.
 */
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { GuestError } from '../errors.ts'
import { type CommandResult, lastLine, run } from './command.ts'

/** Told what is being done; `fraction` of it is done, from 0 to 1, where that is known. */
export type ReportStage = (stage: string, fraction?: number) => void

const DEBIAN_KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg'

/** What a person without apt can do. */
export const WITHOUT_APT = 'boot images of your own with --kernel and --initrd, or run on a Debian host'

/**
 * Downloads `packageName` into `directory`; `suite` is the Debian release that has it, tried where the host's own
 * package sources do not.
 * @returns the path of the `.deb` file
 * @throws GuestError if there is no network, or no such package; NoSuchProgram.
 */
export async function downloadPackage(
  packageName: string,
  suite: string,
  directory: string,
  report: ReportStage,
): Promise<string> {
  const host = new PrivateApt(join(directory, 'apt'), [])
  await host.prepare()
  const updated = await host.update(report)
  let downloaded = await host.download(packageName, directory, report)
  if (downloaded.status !== 0) {
    const mirror = await host.mirror()
    if (mirror !== undefined) {
      const other = await host.forSuite(suite, mirror)
      await other.update(report)
      downloaded = await other.download(packageName, directory, report)
    }
  }
  if (downloaded.status !== 0) throw cannotFetch(packageName, suite, updated, downloaded)
  const file = (await readdir(directory)).find((name) => name.endsWith('.deb'))
  if (file === undefined) throw new GuestError(`apt-get fetched nothing for ${packageName}; ${WITHOUT_APT}`)
  return join(directory, file)
}

/**
 * Unpacks a package's files into `directory`.
 * @throws GuestError if it cannot be; NoSuchProgram.
 */
export async function unpackPackage(packageFile: string, directory: string): Promise<void> {
  const result = await run('dpkg-deb', ['--extract', packageFile, directory])
  if (result.status !== 0) throw new GuestError(`cannot unpack ${packageFile}: ${lastLine(result.stderr)}`)
}

/** A release of Debian for another machine than this one, as apt fetches and checks it. */
export class DebianRelease {
  /** Where its packages come from. */
  readonly mirror: string
  readonly #apt: PrivateApt
  readonly #suite: string
  readonly #archives: string

  private constructor(apt: PrivateApt, mirror: string, suite: string, archives: string) {
    this.#apt = apt
    this.mirror = mirror
    this.#suite = suite
    this.#archives = archives
  }

  /**
   * Reads the lists of what there is, from the mirror that this host uses.
   * @throws GuestError if there is no mirror, or no network; NoSuchProgram.
   */
  static async open(
    { suite, architecture }: { suite: string; architecture: string },
    directory: string,
    report: ReportStage,
  ): Promise<DebianRelease> {
    const host = new PrivateApt(join(directory, 'apt'), [])
    await host.prepare()
    // What a source is of stands in what it is updated with.
    const looked = await host.update(report)
    const mirror = await host.mirror()
    if (looked.status !== 0) throw cannotFetch(`the list of packages for ${architecture}`, suite, looked, looked)
    if (mirror === undefined) {
      throw new GuestError(
        `this host's package sources have no Debian to fetch ${suite} for ${architecture} from; ${WITHOUT_APT}`,
      )
    }
    // Nothing is installed as far as apt is concerned, so that it finds all that belongs to a package.
    const status = join(directory, 'apt', 'status')
    await writeFile(status, '')
    const apt = await host.forSuite(suite, mirror, [
      `APT::Architecture=${architecture}`,
      `APT::Architectures=${architecture}`,
      'APT::Install-Recommends=false',
      `Dir::State::status=${status}`,
      'Debug::NoLocking=true',
    ])
    const updated = await apt.update(report)
    if (updated.status !== 0) throw cannotFetch(`the list of packages for ${architecture}`, suite, updated, updated)
    return new DebianRelease(apt, mirror, suite, join(apt.directory, 'cache', 'archives'))
  }

  /**
   * Downloads packages and all that they need. A name may be one of apt's patterns.
   * @returns the paths of the `.deb` files
   * @throws GuestError
   */
  async downloadAll(names: readonly string[], report: ReportStage): Promise<string[]> {
    const fetched = await this.#apt.downloadAll(names, report)
    if (fetched.status !== 0) throw cannotFetch('packages', this.#suite, fetched, fetched)
    const files = await readdir(this.#archives)
    return files.filter((name) => name.endsWith('.deb')).map((name) => join(this.#archives, name))
  }

  /**
   * Downloads the package that `name`, which has no files, depends on.
   * @throws GuestError
   */
  async downloadDependency(name: string, directory: string, report: ReportStage): Promise<string> {
    const depends = await this.#apt.dependencies(name)
    const wanted = /^ {2}Depends: (\S+)$/m.exec(depends.stdout)?.[1]
    if (wanted === undefined) throw cannotFetch(name, this.#suite, depends, depends)
    const fetched = await this.#apt.download(wanted, directory, report)
    const file = (await readdir(directory)).find((found) => found.startsWith(wanted) && found.endsWith('.deb'))
    if (fetched.status !== 0 || file === undefined) throw cannotFetch(wanted, this.#suite, fetched, fetched)
    return join(directory, file)
  }
}

/** apt-get with directories of its own. */
class PrivateApt {
  readonly directory: string
  readonly #options: readonly string[]

  constructor(directory: string, options: readonly string[]) {
    this.directory = directory
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
    await mkdir(join(this.directory, 'lists', 'partial'), { recursive: true })
    await mkdir(join(this.directory, 'cache', 'archives', 'partial'), { recursive: true })
  }

  update(report: ReportStage): Promise<CommandResult> {
    return this.#run(['update'], this.directory, (fraction) => report('reading package lists', fraction))
  }

  download(packageName: string, directory: string, report: ReportStage): Promise<CommandResult> {
    return this.#run(['download', packageName], directory, (fraction) => report(`fetching ${packageName}`, fraction))
  }

  downloadAll(names: readonly string[], report: ReportStage): Promise<CommandResult> {
    const args = ['install', '--yes', '--download-only', ...names]
    return this.#run(args, this.directory, (fraction) => report('fetching packages', fraction))
  }

  dependencies(packageName: string): Promise<CommandResult> {
    return run('apt-cache', [...this.#options, 'depends', packageName])
  }

  /** Where the host has its Debian packages from; undefined if none of its sources is a Debian one. */
  async mirror(): Promise<string | undefined> {
    const listed = await run('apt-get', [
      ...this.#options,
      'indextargets',
      '--format',
      '$(ORIGIN) $(COMPONENT) $(SITE)',
    ])
    return /^Debian main (\S+)$/m.exec(listed.stdout)?.[1]
  }

  /** Another release of that mirror. */
  async forSuite(suite: string, mirror: string, options: readonly string[] = []): Promise<PrivateApt> {
    const directory = join(this.directory, suite)
    const other = new PrivateApt(directory, [
      `Dir::Etc::SourceList=${join(directory, 'sources.list')}`,
      'Dir::Etc::SourceParts=/dev/null',
      ...options,
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
