export { AtaChannel, type ChannelDrive, CONTROL, channelState } from './channel.ts'
export { ATA_COMMANDS } from './commands.ts'
export { type DiskProperties, type DmaJob, ERROR, STATUS } from './disk.ts'
export { SECTOR_BYTES } from './identify.ts'
