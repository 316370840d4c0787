// Runs the tests of the files beside it, in order, in one extension host.
const { inspect } = require("node:util");

const LIMIT = 60_000;

function limited(test) {
  let timer;
  const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error("the test took too long")), LIMIT)));
  return Promise.race([test, late]).finally(() => clearTimeout(timer));
}

exports.run = async function run() {
  const only = process.env.EVONIC_TEST_ONLY;
  const counts = { passed: 0, failed: 0 };
  for (const file of ["./saves.cjs", "./commands.cjs", "./manifest.cjs", "./server.cjs"]) {
    for (const [name, test] of Object.entries(require(file))) {
      if (only && !new RegExp(only).test(name)) continue;
      const start = Date.now();
      try {
        await limited(test());
        counts.passed++;
        console.log(`ok   ${name} (${Date.now() - start} ms)`);
      } catch (error) {
        counts.failed++;
        console.error(`FAIL ${name}\n${error.stack ?? inspect(error)}`);
      }
    }
  }
  console.log(`${counts.passed} passed, ${counts.failed} failed`);
  if (counts.failed) throw new Error(`${counts.failed} failed`);
};
