// Bundle each page's script and style into src/micrograd_mlp/web, and the licences of what went into them.
//
// `node build.mjs` builds all pages, `node build.mjs FOLDER` writes to another folder. The same sources give the same
// bytes. Each file begins with a hash of its sources, so that a test sees without node whether it is up to date.

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";

const HERE = dirname(fileURLToPath(import.meta.url));
const OUT = resolve(process.argv[2] ?? join(HERE, "../src/micrograd_mlp/web"));
const PAGES = ["explorer", "play"];

/** Every file under a folder, in the order of its path. */
function filesIn(folder) {
  const found = readdirSync(folder, { recursive: true, withFileTypes: true });
  return found.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath ?? entry.path, entry.name));
}

/** SHA-256 over the path and the content of all that a page is built from. */
function hashOf(page) {
  const paths = [join(HERE, "build.mjs"), join(HERE, "package.json")];
  paths.push(...filesIn(join(HERE, "src", page)), ...filesIn(join(HERE, "src", "shared")));
  const named = paths.map((path) => [relative(HERE, path).split(sep).join("/"), path]);
  const hash = createHash("sha256");
  for (const [name, path] of named.sort(([a], [b]) => (a < b ? -1 : 1))) {
    hash.update(`${name}\0`).update(readFileSync(path)).update("\0");
  }
  return hash.digest("hex");
}

/** The packages that a bundle holds, by the paths of its inputs. */
function packagesIn(metafile) {
  const names = Object.keys(metafile.inputs).map((path) => path.match(/node_modules\/((?:@[^/]+\/)?[^/]+)/)?.[1]);
  return names.filter(Boolean);
}

/** The name, the version and the licence of each package, as one text. */
function licencesOf(names) {
  const texts = [...new Set(names)].sort().map((name) => {
    const folder = join(HERE, "node_modules", name);
    const { version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
    if (!file) throw new Error(`${name} has no file with its licence`);
    return `${name} ${version} (${license})\n\n${readFileSync(join(folder, file), "utf8").trim()}\n`;
  });
  return `The scripts and styles in this folder hold these packages.\n\n${texts.join(`\n${"-".repeat(80)}\n\n`)}`;
}

mkdirSync(OUT, { recursive: true });
const packages = [];
for (const page of PAGES) {
  if (!existsSync(join(HERE, "src", page, "main.js"))) continue;
  const { metafile } = await esbuild.build({
    absWorkingDir: HERE,
    entryPoints: [`src/${page}/main.js`],
    outfile: join(OUT, `${page}.js`),
    banner: Object.fromEntries(["js", "css"].map((kind) => [kind, `/* sources sha256 ${hashOf(page)} */`])),
    bundle: true,
    format: "iife",
    target: "es2022",
    charset: "utf8",
    minify: true,
    legalComments: "none", // LICENCES.txt has them whole
    logLevel: "warning",
    metafile: true,
  });
  packages.push(...packagesIn(metafile));
}
writeFileSync(join(OUT, "LICENCES.txt"), licencesOf(packages));
