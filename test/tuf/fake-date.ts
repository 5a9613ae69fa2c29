/** Loaded before the client: its clock starts at FAKE_DATE (milliseconds since the epoch). */
import { mock } from 'node:test';

mock.timers.enable({ apis: ['Date'], now: Number(process.env['FAKE_DATE']) });
