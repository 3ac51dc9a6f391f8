/**
 * A bare-metal program that drives an RTL8139, in both byte orders: it prints what it prints on QEMU 7.2's Malta, with the same card in
 * the same slot and a network of its own (`tests/bare-metal/nic.printed`). Recorded, captured meanwhile, and replayed in every mode.
 */
import * as fs from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ananke, lastObject, said } from '../tools/mod.ts'

const bareMetal = (name: string) => join(import.meta.dirname, 'bare-metal', name)
const PRINTED = fs.readFileSync(bareMetal('nic.printed'), 'latin1').trim().split(/\r?\n/)

for (const endian of ['mipsel', 'mips']) {
  t.test(endian, async (t) => {
    const directory = t.testdir({ script: 'expect nic ok\nquit\n' })
    const at = (name: string) => join(directory, name)
    const kernel = ['--kernel', bareMetal(`nic-${endian}.elf`)]
    const words = [...kernel, '--net', 'hermetic,model=rtl8139', '--input', at('script')]
    const recorded = await ananke(['record', ...words, '-o', at('a.ank'), '--pcap', at('live.pcapng'), '--json'])
    t.equal(recorded.status, 0, recorded.stderr)
    const printed = recorded.stderr.split(/\r?\n/).map((line) => line.trim())
    t.same(printed.slice(0, PRINTED.length), PRINTED)
    const { digest } = lastObject(recorded.stdout)

    const captured = await ananke(['pcap', at('a.ank'), '-o', at('after.pcapng')])
    t.match(captured, { status: 0, stdout: /24 frames of nic0/ })
    t.ok(fs.readFileSync(at('live.pcapng')).equals(fs.readFileSync(at('after.pcapng'))))

    const log = (await ananke(['log', at('a.ank'), '--node', 'nic0'])).stdout
    t.match(log, /nic0 -> world +output +frame 60 bytes 52:54:00:12:34:56 -> ff:ff:ff:ff:ff:ff ARP/)
    t.match(log, /script -> nic0 +input +frame \d+ bytes 52:55:0a:00:02:02 -> 52:54:00:12:34:56 ARP/)

    for (const mode of ['cpu', 'full', 'device:nic0']) {
      const replayed = await ananke(['replay', at('a.ank'), '--mode', mode, '--verify', '--json'])
      t.same(said(replayed), [], mode)
      t.match(lastObject(replayed.stdout), { state: 'agreed' }, mode)
      if (mode !== 'device:nic0') t.equal(lastObject(replayed.stdout)['digest'], digest, mode)
    }
    if (endian !== 'mipsel') return

    const booted = await ananke(['boot', ...words, '--pcap', at('boot.pcapng'), '--json'])
    t.equal(lastObject(booted.stdout)['digest'], digest, 'a run that is captured, and not recorded, is the same')
    t.ok(fs.readFileSync(at('live.pcapng')).equals(fs.readFileSync(at('boot.pcapng'))), 'and so is its capture')

    const again = await ananke(['boot', ...words, '--pcap', at('boot.pcapng')])
    t.match(again, { status: 1, stderr: /boot\.pcapng exists\. Remove it, or write to another file\./ })
    const taken = await ananke(['record', ...words, '-o', at('a.ank'), '--pcap', at('b.pcapng')])
    t.equal(taken.status, 1)
    t.notOk(fs.existsSync(at('b.pcapng')), 'a run that does not begin leaves no capture')
    const full = ['--pcap', at('full.pcapng'), '--json']
    const cut = await ananke(['boot', ...words, ...full], { shellPrefix: 'ulimit -f 1;' })
    t.match(
      said(cut)[0],
      /full\.pcapng cannot be written whole: EFBIG.*\. It ends here, with \d frames; the run goes on\.$/,
    )
    t.equal(said(cut).filter((line) => line.includes('full.pcapng')).length, 1)
    t.match(cut, { status: 0 })
    t.equal(lastObject(cut.stdout)['digest'], digest, 'a full disk does the run no harm')
    const whole = fs.readFileSync(at('live.pcapng'))
    const kept = fs.readFileSync(at('full.pcapng'))
    t.ok(kept.length > 500 && kept.equals(whole.subarray(0, kept.length)))
    const deaf = await ananke(['boot', ...kernel, '--input', at('script'), '--pcap', at('b.pcapng')])
    t.match(deaf, { status: 2, stderr: /--pcap: the machine has no network card; give it one with --net/ })
  })
}
