/**
 * An ext4 file system with the files of a directory, made without root's rights. Of the same names, contents and permissions come
 * the same bytes, whoever makes it, when and where: so mke2fs makes an empty one, and debugfs fills it in the order of names.
 * (What `mke2fs -d` fills has the order of the host's directories and the times of the host's files.)
 */
import { open, readdir, readlink, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { SCRIPTED_START_SECONDS } from '../cli/request.ts'
import { GuestError } from '../errors.ts'
import { lastLine, run } from './command.ts'

/** Of the file system and of its directories' hashes: they would be random. */
const UUID = '3a6cd0f8-6c1e-4b0e-9e5a-52f3d1c8a7b4'

/** What all is dated: to what is later the clock of a scripted run's guest would be wrong. */
const TIME = { E2FSPROGS_FAKE_TIME: String(SCRIPTED_START_SECONDS) }

/** debugfs tells its version there, and goes on after what failed. */
const BANNER = /^debugfs \d/

/**
 * Makes the file `image` of `bytes` bytes. All that is in it belongs to root.
 * @throws GuestError if not all of `directory` has room or can be read, or `image` is there; NoSuchProgram without e2fsprogs
 */
export async function makeExt4(image: string, bytes: number, directory: string, label = ''): Promise<void> {
  const file = await open(image, 'wx')
  try {
    await file.truncate(bytes)
  } finally {
    await file.close()
  }
  const extended = `root_owner=0:0,hash_seed=${UUID}`
  const made = await run('mke2fs', ['-q', '-F', '-t', 'ext4', '-L', label, '-U', UUID, '-E', extended, image], {
    environment: TIME,
  })
  if (made.status !== 0) throw new GuestError(`mke2fs: ${lastLine(made.stderr)}`)

  const commands = [`set_current_time @${SCRIPTED_START_SECONDS}`]
  for await (const command of copyCommands(directory, '')) commands.push(command)
  const filled = await run('debugfs', ['-w', '-f', '-', image], {
    cwd: directory,
    environment: TIME,
    input: `${commands.join('\n')}\n`,
  })
  const complaint = filled.stderr.split('\n').find((line) => line !== '' && !BANNER.test(line))
  if (filled.status !== 0 || complaint !== undefined) throw new GuestError(`debugfs: ${complaint ?? filled.status}`)
}

/** debugfs's commands that copy what is at `path` in `directory`. */
async function* copyCommands(directory: string, path: string): AsyncGenerator<string> {
  const entries = await readdir(join(directory, path), { withFileTypes: true })
  entries.sort((a, b) => (a.name < b.name ? -1 : 1))
  for (const entry of entries) {
    const inner = join(path, entry.name)
    const name = quoted(inner)
    if (entry.isSymbolicLink()) yield `symlink ${name} ${quoted(await readlink(join(directory, inner)))}`
    else if (entry.isFile()) yield `write ${name} ${name}`
    else if (entry.isDirectory()) {
      const { mode } = await stat(join(directory, inner))
      yield `mkdir ${name}`
      yield `set_inode_field ${name} mode 0${mode.toString(8)}`
      yield* copyCommands(directory, inner)
    } else throw new GuestError(`${join(directory, inner)}: neither a file, a directory nor a symbolic link`)
  }
}

/** A word of a command of debugfs. */
function quoted(name: string): string {
  if (name.includes('\n')) throw new GuestError(`${JSON.stringify(name)}: debugfs takes no such name`)
  return `"${name.replaceAll('"', '""')}"`
}
