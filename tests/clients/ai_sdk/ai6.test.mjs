import * as ai from 'ai6'
import { suite } from './suite.mjs'

suite('ai 6', ai)
