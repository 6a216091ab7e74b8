# SPDX-License-Identifier: MIT
"""scripts/demo --check where npm cannot fetch the page's packages: it says so, and fails unless that is allowed."""

import os
import shutil
import subprocess

import pytest
from broker import BUILD, REPOSITORY
from mqtt import PATIENCE


@pytest.fixture
def check(tmp_path):
    """check(ARGUMENT...) runs the script in a tree without the packages, with a recent Node.js and an npm that fails."""
    for name in ("scripts", "demo"):
        shutil.copytree(REPOSITORY / name, tmp_path / name, ignore=shutil.ignore_patterns("node_modules", "dist"))
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in (("node", "echo 20"), ("npm", "exit 1")):
        (programs / name).write_text(f"#!/bin/sh\n{text}\n")
        (programs / name).chmod(0o755)
    env = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "ORGCAST_BUILD": str(BUILD)}

    def run(*arguments):
        return subprocess.run([tmp_path / "scripts" / "demo", "--check", *arguments], env=env, capture_output=True,
                              text=True, timeout=120 * PATIENCE, check=False)
    return run


def test_a_part_left_out_fails(check):
    result = check()
    assert "Browser: not checked: npm could not fetch what demo/ needs\n" in result.stdout
    assert "--allow-missing-browser passes without the browser's part" in result.stderr
    assert "acme never got globex's event" in result.stdout
    assert result.returncode == 1


def test_a_part_left_out_is_allowed(check):
    result = check("--allow-missing-browser")
    assert "Browser: not checked: npm could not fetch what demo/ needs\n" in result.stdout
    assert result.returncode == 0, result.stdout + result.stderr
