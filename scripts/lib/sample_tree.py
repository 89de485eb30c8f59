"""A tree like a PHP application's, and changes to it. The same seed gives the same tree and the same changes."""
import os
import random
import subprocess

SEED = 2024
KIB = 1024
KINDS = ("append", "overwrite", "truncate", "rename over", "unlink", "create", "chmod", "retarget")
REPOSITORY = "repository"    # a small git repository; never changed by change()
GIT_ENV = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "GIT_OPTIONAL_LOCKS": "0"}

LINES = [f"    public function get{word}(int $id): ?string {{ return $this->{word.lower()}[$id] ?? null; }}\n"
         for word in ("Name", "Price", "Title", "Owner", "Path", "State", "Locale", "Größe", "Token", "Route")]


class SampleTree:
    def __init__(self, root, files):
        self.root = root
        self.files = files       # how many regular files make() creates, the git repository not counted
        self.random = random.Random(SEED)
        self.created = 0
        self.directories, self.regular, self.links = [""], [], []     # what change() may choose from

    # --- making it

    def make(self):
        self.make_directories()
        links = max(2, self.files // 100)
        for number in range(self.files - links):
            name = self.name(number)
            path = os.path.join(self.random.choice(self.directories), name)
            self.write(path, self.content(number))
            if number % 3 == 0:     # released code keeps the time stamps it was built with
                at = 1_500_000_000_000_000_000 + self.random.randrange(10 ** 17)
                os.utime(self.full(path), ns=(at, at))
            self.regular.append(path)
        for number in range(links):
            path = os.path.join(self.random.choice(self.directories), f"hardlink{number}.php")
            os.link(self.full(self.random.choice(self.regular)), self.full(path))
            self.regular.append(path)
        for number in range(max(4, self.files // 40)):
            where = self.random.choice(self.directories)
            target = "no/such/file" if number == 0 else self.random.choice(self.regular + self.directories[1:])
            self.links.append(os.path.join(where, f"symlink{number}"))
            os.symlink(os.path.relpath(target, where or "."), self.full(self.links[-1]))
        self.make_repository()

    def make_directories(self):
        for number in range(max(3, self.files // 16)):
            parent = self.random.choice([path for path in self.directories if path.count("/") < 5])
            name = ("module", "src", "Resources", "templates", "vendor", "Übersetzungen", "with blank")[number % 7]
            self.directories.append(os.path.join(parent, f"{name}{number}"))
            os.mkdir(self.full(self.directories[-1]))

    def name(self, number):
        return (f"Class{number}.php", f"view{number}.phtml", f"name with blanks {number}.php", f"größe-{number}-日本.php",
                f".hidden{number}", f"style{number}.css")[(0, 0, 0, 0, 1, 1, 2, 3, 4, 5)[number % 10]]

    def content(self, number):
        if number % 100 == 0:
            return b""
        if number % 50 == 1:
            return self.random.randbytes(self.random.randint(200 * KIB, 2048 * KIB))
        text = "<?php\nfinal class C%d\n{\n%s}\n" % (number, "".join(self.random.choices(LINES, k=220)))
        return text.encode()[:self.random.randint(1 * KIB, 20 * KIB)]

    def make_repository(self):
        repository = self.full(REPOSITORY)
        for number in range(20):
            self.write(f"{REPOSITORY}/src/file{number}.php", self.content(2 + 2 * number), parents=True)
        for arguments in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "Sample"]):
            subprocess.run(["git", "-c", "user.name=demo", "-c", "user.email=demo@example.org", "-c", "gc.auto=0",
                            "-C", repository, *arguments], check=True, env={**os.environ, **GIT_ENV})
        self.write(f"{REPOSITORY}/src/file1.php", b"<?php // changed\n")
        self.write(f"{REPOSITORY}/src/untracked.php", b"<?php // new\n")

    # --- changing it

    def change(self, kind):
        """Makes one change; returns the paths whose names, attributes or bytes it may have touched."""
        path = self.random.choice(self.regular)
        if kind == "append":
            with open(self.full(path), "ab") as file:
                file.write(self.content(self.created + 2))
        elif kind == "overwrite":
            with open(self.full(path), "r+b") as file:
                size = os.fstat(file.fileno()).st_size
                file.seek(self.random.randrange(max(size, 1)))
                file.write(self.random.randbytes(max(1, min(size - file.tell(), 4 * KIB))))
        elif kind == "truncate":
            os.truncate(self.full(path), self.random.randrange(os.path.getsize(self.full(path)) + 1))
        elif kind == "rename over":
            temporary = os.path.join(os.path.dirname(path), ".new")
            self.write(temporary, self.content(self.random.randrange(2, 50)))
            os.rename(self.full(temporary), self.full(path))
        elif kind == "unlink":
            os.unlink(self.full(path))
            self.regular.remove(path)
        elif kind == "create":
            self.created += 1
            path = os.path.join(self.random.choice(self.directories), f"created {self.created}.php")
            self.write(path, self.content(self.created))
            self.regular.append(path)
        elif kind == "chmod":
            os.chmod(self.full(path), self.random.choice((0o600, 0o640, 0o644, 0o755)))
        elif kind == "retarget":
            path = self.random.choice(self.links)
            os.symlink(f"target{self.random.randrange(1000)}", self.full(path) + ".new")
            os.rename(self.full(path) + ".new", self.full(path))
        return [path, os.path.dirname(path)]

    def full(self, path):
        return os.path.join(self.root, path) if path else self.root

    def write(self, path, data, parents=False):
        if parents:
            os.makedirs(os.path.dirname(self.full(path)), exist_ok=True)
        with open(self.full(path), "wb") as file:
            file.write(data)
