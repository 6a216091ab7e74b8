// SPDX-License-Identifier: MIT
// When a token has to be replaced. Nothing is verified here; the broker does that.

/** Before the end of a token's life, the part of it that is left for the refresh. */
const REFRESH_PART = 0.2;
const REFRESH_BEFORE_MAX_S = 60;
/** setTimeout() takes no more than 2^31 - 1 ms; a token that lives longer is refreshed then. */
const DELAY_MAX_MS = 2 ** 31 - 1;

/** The claims that matter for its lifetime, in seconds since 1970. */
interface Lifetime {
  readonly exp: number;
  readonly iat: number | undefined;
}

function claimsOf(token: string): unknown {
  const body = token.split('.')[1];
  if (body === undefined) return undefined;
  try {
    return JSON.parse(atob(body.replace(/-/g, '+').replace(/_/g, '/')));
  } catch {
    return undefined;
  }
}

function lifetimeOf(token: string): Lifetime | undefined {
  const claims = claimsOf(token);
  if (typeof claims !== 'object' || claims === null) return undefined;
  const exp: unknown = Reflect.get(claims, 'exp');
  const iat: unknown = Reflect.get(claims, 'iat');
  if (typeof exp !== 'number') return undefined;
  return { exp, iat: typeof iat === 'number' && iat < exp ? iat : undefined };
}

/** Milliseconds from now until the token should be replaced; undefined when it does not say when it ends. */
export function refreshDelayMs(token: string, nowMs: number): number | undefined {
  const lifetime = lifetimeOf(token);
  if (!lifetime) return undefined;
  const { exp, iat } = lifetime;
  let leftS = exp - nowMs / 1000;
  // A clock that is far off would say that a fresh token has ended, or that it lives longer than it does.
  if (iat !== undefined && (leftS <= 0 || leftS > exp - iat)) leftS = exp - iat;
  const beforeS = Math.min(REFRESH_BEFORE_MAX_S, leftS * REFRESH_PART);
  return Math.min(DELAY_MAX_MS, Math.max(0, (leftS - beforeS) * 1000));
}
