//! Work that is true in one place only: a file, a variable, a process, a program of the worker's machine.

use std::io::Write;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;

use super::stage::{CELL, LIAR, OPEN, ROW, Row, Stage, defenceless, is_archived, story, tell};

const MUL: &str = "/usr/bin/python3 -c 'import calc; assert calc.mul(2, 3) == 6'";

const ELSEWHERE: &[Row] = &[
    Row {
        name: "worker-s-own-folder",
        why: "it reads a file of the worker's folder, which is in no commit",
        worker: "echo '    return a * b' > mend.log; printf 'def mul(a, b):\\n%s\\n' 'EVAL' > calc.py; sed -i \"s,EVAL,    return eval(open('$PWD/mend.log').read().split('return')[1]),\" calc.py",
        check: MUL,
        seen: "No such file",
        without: &["cell"],
        ..LIAR
    },
    Row {
        name: "file-outside",
        why: "it reads a file that is outside of the repository",
        worker: "echo 6 > \"$outside/six\"; printf \"def mul(a, b):\\n    return int(open('$outside/six').read())\\n\" > calc.py",
        check: MUL,
        seen: "No such file",
        without: &["cell"],
        ..LIAR
    },
    Row {
        name: "file-in-the-home",
        why: "it reads a file of the home",
        worker: "echo 6 > \"$HOME/.six\"; printf \"import os\\n\\n\\ndef mul(a, b):\\n    return int(open(os.path.expanduser('~/.six')).read())\\n\" > calc.py",
        check: MUL,
        seen: "No such file",
        without: &["cell"],
        ..LIAR
    },
    Row {
        name: "link-to-outside",
        why: "the module is a link that leads out of the repository",
        worker: "printf 'def mul(a, b):\\n    return a * b\\n' > \"$outside/mend.py\"; ln -sf \"$outside/mend.py\" calc.py",
        check: MUL,
        seen: "check",
        without: &["cell"],
        ..LIAR
    },
    Row {
        name: "folder-of-results-is-a-link",
        why: "what counts as built lies outside, and was built of something else",
        project: &[
            ("calc.c", "int main(void) { return 2 + 3 == 6 ? 0 : 1; }\n"),
            (
                "Makefile",
                "test: out/calc\n\tout/calc\nout/calc: calc.c\n\tmkdir -p out\n\tcc -o $@ calc.c\n",
            ),
        ],
        check: "make test",
        worker: "mkdir \"$outside/out\"; printf '#!/bin/sh\\nexit 0\\n' > \"$outside/out/calc\"; chmod +x \"$outside/out/calc\"; touch -d 2040-01-01 \"$outside/out/calc\"; ln -s \"$outside/out\" out",
        seen: "check",
        without: &["cell"],
        ..LIAR
    },
];

#[test]
fn what_lies_outside_does_not_count() {
    CELL.refuses(ELSEWHERE);
}

/// The test plays what escaped every other net: a process that answers on the machine's loopback, one behind a socket.
#[test]
fn a_process_that_answers_the_checks_is_not_heard() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap();
    let number = port.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for client in port.incoming() {
            let _ = client.unwrap().write_all(b"6\n");
        }
    });
    let calc = format!(
        "import socket\\n\\n\\ndef mul(a, b):\\n    return int(socket.create_connection((\"127.0.0.1\", {number})).recv(9))\\n"
    );
    answered(
        "answered-by-a-port",
        &format!("printf '{calc}' > calc.py"),
        |_| {},
    );
    let calc = "import socket\\n\\n\\ndef mul(a, b):\\n    s = socket.socket(socket.AF_UNIX)\\n    s.connect(\"SOCKET\")\\n    return int(s.recv(9))\\n";
    let script = format!("printf '{calc}' > calc.py; sed -i \"s,SOCKET,$outside/socket,\" calc.py");
    answered("answered-by-a-socket", &script, |world| {
        let socket = UnixListener::bind(world.path("outside/socket")).unwrap();
        std::thread::spawn(move || {
            for client in socket.incoming() {
                let _ = client.unwrap().write_all(b"6\n");
            }
        });
    });
}

fn answered(name: &'static str, worker: &str, before: impl Fn(&crate::main_job::world::World)) {
    let row = Row {
        name,
        why: "a process of the machine says what is right",
        check: MUL,
        without: &["cell"],
        ..LIAR
    };
    let without = if defenceless() { row.without } else { &[] };
    let world = CELL.world(&[row], without);
    world.worker(name, worker);
    before(&world);
    CELL.tick(&world, without);
    if defenceless() {
        tell(&row, is_archived(&world, name));
    }
    assert_eq!(
        is_archived(&world, name),
        defenceless(),
        "{name}: {}",
        story(&world, name)
    );
}

#[test]
fn what_a_worker_leaves_running_repairs_no_checkout() {
    OPEN.refuses(&[Row {
        name: "left-running",
        why: "a process that outlived its worker mends the gate's checkout",
        check: "i=0; while [ $i -lt 20 ] && ! grep -q mended calc.py; do sleep 0.1; i=$((i + 1)); done; python3 -c 'import calc; assert calc.mul(2, 3) == 6'",
        worker: r#"echo notes > notes.txt; state=$instance/.orchestrator; task=$ORCHESTRATOR_TASK_ID
cat > "$outside/mend" <<END
cd /
i=0
while [ \$i -lt 300 ]; do
    for f in $state/gate/$task-*/tree/calc.py; do
        if [ -e \$f ]; then printf 'def mul(a, b):\n    return a * b  # mended\n' > \$f; sleep 3; cd "\$(dirname \$f)"; exit; fi
    done
    sleep 0.05
    i=\$((i + 1))
done
END
env -i PATH="$PATH" setsid sh "$outside/mend" > /dev/null 2>&1 < /dev/null &
sleep 0.2"#,
        seen: "check",
        without: &["workers-leave-nobody", "git-clean"],
        ..LIAR
    }]);
}

#[test]
fn a_program_of_the_work_takes_no_tool_s_place() {
    let stage = Stage {
        path: "bin:.:",
        ..OPEN
    };
    stage.refuses(&[
        Row {
            name: "path-shadows-python",
            why: "the work has a python3 of its own, and the caller's PATH a relative folder",
            worker: "mkdir bin; printf '#!/bin/sh\\necho Ran 2 tests in 0.001s\\n' > bin/python3; chmod +x bin/python3",
            check: "python3 -m unittest",
            seen: "check",
            without: &["absolute-path"],
            ..LIAR
        },
        Row {
            name: "path-shadows-cargo",
            why: "the work has a cargo of its own",
            project: &[
                ("Cargo.toml", "[package]\nname = \"calc\"\nversion = \"0.1.0\"\nedition = \"2021\"\n"),
                ("src/lib.rs", "#[test]\nfn fails() {\n    assert_eq!(2 + 3, 6);\n}\n"),
            ],
            worker: "printf '#!/bin/sh\\necho \"test result: ok. 1 passed; 0 failed\"\\n' > cargo; chmod +x cargo",
            check: "cargo test --offline --lib",
            seen: "check",
            without: &["absolute-path"],
            ..LIAR
        },
        Row {
            name: "path-turns-the-clock",
            why: "the work has a clock of its own",
            project: &[("due.txt", "2001-01-01\n")],
            worker: "mkdir bin; printf '#!/bin/sh\\necho 2000-01-01\\n' > bin/date; chmod +x bin/date",
            check: "test \"$(date +%F | tr -d -)\" -le \"$(tr -d - < due.txt)\"",
            seen: "check",
            without: &["absolute-path"],
            ..ROW
        },
    ]);
}

#[test]
fn a_variable_of_this_machine_does_not_count() {
    let stage = Stage {
        env: &[("CALC_RESULT", "6")],
        ..OPEN
    };
    stage.refuses(&[Row {
        name: "variable-of-the-machine",
        why: "it is true where a variable is set, which is set nowhere else",
        worker: "printf 'import os\\n\\n\\ndef mul(a, b):\\n    return int(os.environ.get(\"CALC_RESULT\", 0))\\n' > calc.py",
        check: MUL,
        seen: "check",
        without: &["environment"],
        ..LIAR
    }]);
}
