/**
 * Time of day and date as an MC146818 counts them: two digits of a year, every fourth a leap year.
 */

/** `weekday` 1 is Sunday. `year` is 0 to 99 and stands for 2000 to 2099. */
export interface CalendarTime {
  second: number
  minute: number
  hour: number
  weekday: number
  day: number
  month: number
  year: number
}

const DAYS_BEFORE_MONTH = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334] as const
const DAYS_PER_FOUR_YEARS = 1461
const DAYS_PER_CENTURY = 36_525
const SECONDS_PER_DAY = 86_400
/** Days from 1970-01-01 to 2000-01-01, which was a Saturday. */
const DAYS_TO_2000 = 10_957
const SATURDAY = 7

/** `seconds` since 1970 UTC, any whole number, and the century (19, 20, ...) that the chip itself does not count. */
export function fromUnixSeconds(seconds: number): { time: CalendarTime; century: number } {
  const days = Math.floor(seconds / SECONDS_PER_DAY)
  // A pure function of its argument: no host clock is read here.
  const date = new Date(seconds * 1000)
  const year = date.getUTCFullYear()
  const ofDay = seconds - days * SECONDS_PER_DAY
  return {
    century: Math.floor(year / 100),
    time: {
      second: ofDay % 60,
      minute: Math.floor(ofDay / 60) % 60,
      hour: Math.floor(ofDay / 3600),
      weekday: mod(days - DAYS_TO_2000 + SATURDAY - 1, 7) + 1,
      day: date.getUTCDate(),
      month: date.getUTCMonth() + 1,
      year: mod(year, 100),
    },
  }
}

/** Moves `time` on by `seconds`. Fields out of their ranges, as a guest may write them, are carried over first. */
export function addSeconds(time: CalendarTime, seconds: number): CalendarTime {
  const total = secondOfDay(time) + seconds
  const days = Math.floor(total / SECONDS_PER_DAY)
  const ofDay = total - days * SECONDS_PER_DAY
  return {
    second: ofDay % 60,
    minute: Math.floor(ofDay / 60) % 60,
    hour: Math.floor(ofDay / 3600),
    weekday: mod(time.weekday - 1 + days, 7) + 1,
    ...dateOf(mod(dayNumber(time) + days, DAYS_PER_CENTURY)),
  }
}

export function secondOfDay({ second, minute, hour }: CalendarTime): number {
  return (hour * 60 + minute) * 60 + second
}

/** Days from the first of January of year 0. */
function dayNumber({ day, month, year }: CalendarTime): number {
  const inYear = DAYS_BEFORE_MONTH[mod(month - 1, 12)]! + day - 1 + (year % 4 === 0 && month > 2 ? 1 : 0)
  return year * 365 + Math.ceil(year / 4) + inYear
}

function dateOf(dayNumber: number): { day: number; month: number; year: number } {
  const fours = Math.floor(dayNumber / DAYS_PER_FOUR_YEARS)
  let rest = dayNumber - fours * DAYS_PER_FOUR_YEARS
  // The first year of four has 366 days.
  const yearOfFour = rest < 366 ? 0 : Math.floor((rest - 1) / 365)
  rest -= yearOfFour === 0 ? 0 : yearOfFour * 365 + 1
  const leapDay = yearOfFour === 0 ? 1 : 0
  let month = 12
  while (rest < firstDay(month, leapDay)) month--
  return { day: rest - firstDay(month, leapDay) + 1, month, year: fours * 4 + yearOfFour }
}

function firstDay(month: number, leapDay: number): number {
  return DAYS_BEFORE_MONTH[month - 1]! + (month > 2 ? leapDay : 0)
}

function mod(value: number, modulus: number): number {
  return ((value % modulus) + modulus) % modulus
}
