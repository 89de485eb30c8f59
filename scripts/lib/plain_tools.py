"""Ordinary programs over the mount and over the source: they have to print the same."""
import hashlib
import os
import shutil
import subprocess

import sample_tree

PHP = r"""
$names = [];
$all = new RecursiveIteratorIterator(new RecursiveDirectoryIterator(".", FilesystemIterator::SKIP_DOTS));
foreach ($all as $file) if ($file->isFile()) $names[] = $file->getPathname();
sort($names);
$hash = hash_init("sha256");
foreach ($names as $name) {
  hash_update($hash, $name . filesize($name) . filemtime($name) . decoct(fileperms($name)));
  hash_update_file($hash, $name);
}
echo count($names), " ", hash_final($hash);
"""
SAME_ON_BOTH = {
    "tar | sha256sum": ["sh", "-c", "tar --sort=name --numeric-owner -cf - . | sha256sum"],
    "grep -r | sort": ["sh", "-c", "LC_ALL=C grep -rnI getPrice . | LC_ALL=C sort"],
    "git status": ["git", "-c", "safe.directory=*", "-C", sample_tree.REPOSITORY, "status", "--porcelain", "--branch"],
    "php -r": ["php", "-d", "memory_limit=-1", "-r", PHP],
}


def output(command, directory):
    done = subprocess.run(command, cwd=directory, capture_output=True, env={**os.environ, **sample_tree.GIT_ENV})
    return done.returncode, done.stdout, done.stderr.decode(errors="replace").strip()


def compare(source, mount):
    """Yields (program, what was wrong or "", note)."""
    for name, command in SAME_ON_BOTH.items():
        if not shutil.which(command[0]):
            yield name, "", "not installed, skipped"
            continue
        expected, got = output(command, source), output(command, mount)
        if expected[0] != 0 or got[0] != 0:
            yield name, f"exit status {expected[0]} on the source, {got[0]} on the mount: {got[2] or expected[2]}", ""
        elif expected[1] != got[1]:
            yield name, "not the same output", ""
        else:
            yield name, "", f"{len(got[1])} bytes, {hashlib.sha256(got[1]).hexdigest()[:16]}"
    name = "rsync -nrlc --itemize-changes"
    if not shutil.which("rsync"):
        yield name, "", "not installed, skipped"
        return
    status, listed, error = output(["rsync", "-nrlc", "--delete", "--itemize-changes", f"{source}/", f"{mount}/"], "/")
    listed = listed.decode(errors="replace").splitlines()
    yield name, (f"exit status {status}: {error}" if status else "; ".join(listed[:5])), "no difference"
