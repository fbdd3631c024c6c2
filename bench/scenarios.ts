import { accept } from './accept.ts'
import { cancel } from './cancel.ts'
import { cloudreveLarge } from './cloudreve-large.ts'
import { cloudreveSmall } from './cloudreve-small.ts'
import { hashing } from './hashing/scenario.ts'
import { lagScenario } from './lag/scenario.ts'
import { large } from './large.ts'
import { memory, memory100 } from './memory.ts'
import { queue } from './queue.ts'
import { redisMemory } from './redis-memory/scenario.ts'
import type { Scenario } from './scenario.ts'
import { small } from './small.ts'
import { takeover } from './takeover.ts'

/** Everything that can be measured, in the order in which it runs. */
export const scenarios: readonly Scenario[] = [
  hashing,
  large,
  small,
  cloudreveLarge,
  cloudreveSmall,
  accept,
  queue,
  lagScenario,
  takeover,
  cancel,
  memory,
  memory100,
  redisMemory,
]
