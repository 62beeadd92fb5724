/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Owner threads and workers: letters, timers, descriptors, batches and jobs, under threads.
 */
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "runtime/loop.h"
#include "runtime/worker.h"

#define MSEC 1000000ull

static struct loop *loop;

static void sleep_ms(unsigned int ms)
{
	struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

	nanosleep(&ts, NULL);
}

/* --- on the owner thread, while the test waits --- */

struct errand {
	struct letter letter;
	void (*run)(void *arg);
	void *arg;
	sem_t finished;
};

static void errand_deliver(struct letter *letter)
{
	struct errand *errand = container_of(letter, struct errand, letter);

	assert(loop_is_current(loop));
	errand->run(errand->arg);
	sem_post(&errand->finished);
}

static void on_owner(void (*run)(void *arg), void *arg)
{
	struct errand errand = {.letter.deliver = errand_deliver, .run = run, .arg = arg};

	sem_init(&errand.finished, 0, 0);
	loop_post(loop, &errand.letter);
	sem_wait(&errand.finished);
	sem_destroy(&errand.finished);
}

/* --- letters --- */

#define NR_POSTERS 4
#define NR_LETTERS 20000

struct numbered {
	struct letter letter;
	unsigned int poster;
	unsigned int number;
};

static unsigned int next_number[NR_POSTERS]; /* owner thread */
static sem_t all_delivered;

static void numbered_deliver(struct letter *letter)
{
	struct numbered *n = container_of(letter, struct numbered, letter);

	assert(loop_is_current(loop));
	assert(n->number == next_number[n->poster]++);
	if (n->number == NR_LETTERS - 1)
		sem_post(&all_delivered);
	free(n);
}

static void *post_letters(void *arg)
{
	unsigned int i;

	for (i = 0; i < NR_LETTERS; i++) {
		struct numbered *n = calloc(1, sizeof(*n));

		assert(n);
		n->letter.deliver = numbered_deliver;
		n->poster = (unsigned int)(uintptr_t)arg;
		n->number = i;
		loop_post(loop, &n->letter);
		if (i % 1000 == 0)
			sleep_ms(1); /* so that the loop falls asleep now and then */
	}
	return NULL;
}

/* Four posters at once: nothing is lost, and each one's letters keep their order. */
static void test_letters(void)
{
	pthread_t threads[NR_POSTERS];
	uintptr_t i;

	sem_init(&all_delivered, 0, 0);
	for (i = 0; i < NR_POSTERS; i++)
		assert(!pthread_create(&threads[i], NULL, post_letters, (void *)i));
	for (i = 0; i < NR_POSTERS; i++)
		sem_wait(&all_delivered);
	for (i = 0; i < NR_POSTERS; i++)
		pthread_join(threads[i], NULL);
	sem_destroy(&all_delivered);
}

struct chain {
	struct letter letter;
	unsigned int left;
	sem_t finished;
};

static void chain_deliver(struct letter *letter)
{
	struct chain *chain = container_of(letter, struct chain, letter);

	if (chain->left--)
		loop_post(loop, letter);
	else
		sem_post(&chain->finished);
}

/* The owner posts to itself: it does not fall asleep on that. */
static void test_letters_to_self(void)
{
	struct chain chain = {.letter.deliver = chain_deliver, .left = 1000};

	sem_init(&chain.finished, 0, 0);
	loop_post(loop, &chain.letter);
	sem_wait(&chain.finished);
	sem_destroy(&chain.finished);
}

static void look_at_thread(void *arg)
{
	sigset_t blocked;
	char name[32];

	(void)arg;
	pthread_sigmask(SIG_SETMASK, NULL, &blocked);
	assert(sigismember(&blocked, SIGTERM) && sigismember(&blocked, SIGCHLD) &&
	       sigismember(&blocked, SIGUSR1));
	assert(!sigismember(&blocked, SIGSEGV)); /* a crash must stay one */
	pthread_getname_np(pthread_self(), name, sizeof(name));
	assert(strncmp(name, "mpath-loop", 10) == 0);
}

static void test_thread(void)
{
	sigset_t blocked;

	on_owner(look_at_thread, NULL);
	pthread_sigmask(SIG_SETMASK, NULL, &blocked);
	assert(!sigismember(&blocked, SIGTERM)); /* ours are as they were */
}

/* About as many loops as CPUs, and maps are spread over them. */
static void test_spreading(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	struct loop *taken[256];
	long i, j, same = 0;

	assert(cpus > 0);
	if (cpus > 64)
		cpus = 64;
	for (i = 0; i < 2 * cpus - 1; i++) /* test's own loop is one of them */
		assert((taken[i] = loop_acquire()));
	for (i = 0; i < 2 * cpus - 1; i++)
		for (j = 0; j < i; j++)
			same += taken[i] == taken[j];
	assert(same == cpus - 1); /* each loop has two maps, ours one of the test's */
	while (i--)
		loop_release(taken[i]);
}

/* --- timers --- */

struct ticker {
	struct timer timer;
	uint64_t promised_ns;
	unsigned int nr_fired;
	uint64_t again_ns; /* set again so much later, until nr_fired is 5 */
	struct ticker *kills;
	struct ticker *puts_off; /* by so much: */
	uint64_t by_ns;
	sem_t *tell;
};

static struct ticker *fired_order[16];
static unsigned int nr_fired;

static void ticker_fire(struct timer *timer, uint64_t now_ns)
{
	struct ticker *ticker = container_of(timer, struct ticker, timer);

	assert(loop_is_current(loop));
	assert(now_ns >= ticker->promised_ns);
	ticker->nr_fired++;
	fired_order[nr_fired++ % 16] = ticker;
	if (ticker->kills)
		loop_timer_set(loop, &ticker->kills->timer, 0);
	if (ticker->puts_off) {
		ticker->puts_off->promised_ns = now_ns + ticker->by_ns;
		loop_timer_set(loop, &ticker->puts_off->timer, ticker->puts_off->promised_ns);
	}
	if (ticker->again_ns && ticker->nr_fired < 5) {
		ticker->promised_ns = now_ns + ticker->again_ns;
		loop_timer_set(loop, timer, ticker->promised_ns);
	} else if (ticker->tell) {
		sem_post(ticker->tell);
	}
}

static void ticker_init(struct ticker *ticker, sem_t *tell)
{
	*ticker = (struct ticker){.timer.fire = ticker_fire, .tell = tell};
	list_init(&ticker->timer.node);
}

static void ticker_set(struct ticker *ticker, unsigned int ms)
{
	ticker->promised_ns = loop_now_ns(loop) + ms * MSEC;
	loop_timer_set(loop, &ticker->timer, ticker->promised_ns);
}

static void set_five(void *arg)
{
	struct ticker *t = arg;

	ticker_set(&t[0], 40);
	ticker_set(&t[1], 10);
	ticker_set(&t[2], 30);
	ticker_set(&t[3], 20);
	ticker_set(&t[4], 5);
	loop_timer_set(loop, &t[4].timer, 0); /* off */
	ticker_set(&t[1], 60);		      /* put off */
	ticker_set(&t[0], 15);		      /* brought forward */
}

/* In the order of their times, whatever was set first; one is switched off, one put off. */
static void test_timers(void)
{
	struct ticker t[5];
	sem_t tell;
	unsigned int i;

	sem_init(&tell, 0, 0);
	nr_fired = 0;
	for (i = 0; i < 5; i++)
		ticker_init(&t[i], &tell);
	on_owner(set_five, t);
	for (i = 0; i < 4; i++)
		sem_wait(&tell);
	assert(nr_fired == 4 && t[4].nr_fired == 0);
	assert(fired_order[0] == &t[0] && fired_order[1] == &t[3] && fired_order[2] == &t[2] &&
	       fired_order[3] == &t[1]);
	sem_destroy(&tell);
}

static void set_killers(void *arg)
{
	struct ticker *t = arg;

	/* Both are due in the same batch: the first one switches the second one off. */
	ticker_set(&t[0], 2);
	t[1].promised_ns = t[0].promised_ns;
	loop_timer_set(loop, &t[1].timer, t[1].promised_ns);
	ticker_set(&t[2], 3);
}

static void test_timer_off_in_its_batch(void)
{
	struct ticker t[3];
	sem_t tell;

	sem_init(&tell, 0, 0);
	ticker_init(&t[0], NULL);
	ticker_init(&t[1], NULL);
	ticker_init(&t[2], &tell);
	t[0].kills = &t[1];
	on_owner(set_killers, t);
	sem_wait(&tell);
	sem_destroy(&tell);
	assert(t[0].nr_fired == 1 && t[1].nr_fired == 0);
}

static void set_two(void *arg)
{
	struct ticker *t = arg;

	ticker_set(&t[0], 2);
	ticker_set(&t[1], 2);
}

/* Both are due in the same batch, and the first one puts the second one off: it comes then. */
static void test_timer_put_off_in_its_batch(void)
{
	struct ticker t[2];
	sem_t tell;

	sem_init(&tell, 0, 0);
	ticker_init(&t[0], NULL);
	ticker_init(&t[1], &tell);
	t[0].puts_off = &t[1];
	t[0].by_ns = 20 * MSEC;
	on_owner(set_two, t);
	sem_wait(&tell);
	sem_destroy(&tell);
	assert(t[0].nr_fired == 1 && t[1].nr_fired == 1);
}

static void set_again(void *arg)
{
	ticker_set(arg, 1);
}

static void test_timer_again(void)
{
	struct ticker t;
	sem_t tell;

	sem_init(&tell, 0, 0);
	ticker_init(&t, &tell);
	t.again_ns = 1;
	on_owner(set_again, &t);
	sem_wait(&tell);
	sem_destroy(&tell);
	assert(t.nr_fired == 5);
}

/* --- descriptors --- */

struct pipe_end {
	struct watch watch;
	struct pipe_end *victim;
	unsigned int nr_ready;
};

static void end_ready(struct watch *watch, uint32_t events)
{
	struct pipe_end *end = container_of(watch, struct pipe_end, watch);

	assert(loop_is_current(loop) && events);
	end->nr_ready++;
	if (end->victim) {
		loop_unwatch(loop, &end->victim->watch);
		close(end->victim->watch.fd);
		free(end->victim);
		end->victim = NULL;
	}
}

static struct pipe_end *end_new(void)
{
	struct pipe_end *end = calloc(1, sizeof(*end));

	assert(end);
	end->watch.fd = eventfd(0, EFD_NONBLOCK);
	end->watch.ready = end_ready;
	assert(end->watch.fd >= 0);
	return end;
}

static void watch_two(void *arg)
{
	struct pipe_end **ends = arg;

	assert(loop_watch(loop, &ends[0]->watch) == 0);
	assert(loop_watch(loop, &ends[1]->watch) == 0);
	/* Both become ready before the loop looks: one batch. */
	eventfd_write(ends[0]->watch.fd, 1);
	eventfd_write(ends[1]->watch.fd, 1);
}

static void nothing(void *arg)
{
	(void)arg;
}

static void unwatch_one(void *arg)
{
	struct pipe_end *end = arg;

	assert(end->nr_ready == 1);
	loop_unwatch(loop, &end->watch);
	eventfd_write(end->watch.fd, 1);
}

/* The first one that is ready closes and frees the other, which was ready in the same batch. */
static void test_unwatch_in_batch(void)
{
	unsigned int i;

	for (i = 0; i < 20; i++) {
		struct pipe_end *ends[2] = {end_new(), end_new()};

		ends[0]->victim = ends[1];
		on_owner(watch_two, ends);
		on_owner(nothing, NULL);
		on_owner(nothing, NULL);
		on_owner(unwatch_one, ends[0]);
		on_owner(nothing, NULL);
		assert(ends[0]->nr_ready == 1);
		close(ends[0]->watch.fd);
		free(ends[0]);
	}
}

/* A descriptor is ready again and again, without being read: each write is an event. */
static void test_edges(void)
{
	struct pipe_end *end = end_new();
	unsigned int i;

	on_owner(nothing, NULL);
	assert(loop_watch(loop, &end->watch) == 0);
	for (i = 1; i <= 10; i++) {
		eventfd_write(end->watch.fd, 1);
		on_owner(nothing, NULL);
		on_owner(nothing, NULL);
	}
	end->nr_ready = 1;
	on_owner(unwatch_one, end);
	close(end->watch.fd);
	free(end);
}

/* --- standstills --- */

/* More than the loop is told of at once. */
#define NR_ANSWERS 300

struct question {
	struct timer patience;
	struct watch answers[NR_ANSWERS];
	unsigned int nr_answered;
	int nr_unanswered; /* when patience ended; -1: it has not */
	unsigned int nr_asked;
	sem_t end;
};

static struct question question;

static void hear_answer(struct watch *watch, uint32_t events)
{
	(void)watch;
	(void)events;
	question.nr_answered++;
}

static void patience_ends(struct timer *timer, uint64_t now_ns)
{
	(void)timer;
	(void)now_ns;
	question.nr_unanswered = (int)(question.nr_asked - question.nr_answered);
	sem_post(&question.end);
}

static void ask(void *arg)
{
	unsigned int i;

	(void)arg;
	for (i = 0; i < question.nr_asked; i++) {
		question.answers[i].ready = hear_answer;
		question.answers[i].fd = eventfd(0, EFD_NONBLOCK);
		assert(question.answers[i].fd >= 0);
		assert(loop_watch(loop, &question.answers[i]) == 0);
	}
	loop_timer_set(loop, &question.patience, loop_now_ns(loop) + 200 * MSEC);
}

static void all_answer(void)
{
	unsigned int i;

	for (i = 0; i < question.nr_asked; i++)
		eventfd_write(question.answers[i].fd, 1);
}

static void ask_questions(unsigned int nr)
{
	memset(&question, 0, sizeof(question));
	question.patience.fire = patience_ends;
	list_init(&question.patience.node);
	question.nr_asked = nr;
	question.nr_unanswered = -1;
	sem_init(&question.end, 0, 0);
	on_owner(ask, NULL);
}

static void forget_questions(void *arg)
{
	unsigned int i;

	(void)arg;
	for (i = 0; i < question.nr_asked; i++) {
		loop_unwatch(loop, &question.answers[i]);
		close(question.answers[i].fd);
	}
}

static void expect_all_heard(void)
{
	sem_wait(&question.end);
	assert(question.nr_unanswered == 0);
	on_owner(forget_questions, NULL);
	sem_destroy(&question.end);
}

static void answer_in_a_standstill(void *arg)
{
	all_answer();
	sleep_ms(500);
	if (arg)
		loop_read_clock(loop);
}

/*
 * Patience ends while the loop stands still, and the answers came in time: they are heard first,
 * also if the loop knows in the midst of its batch how late it is, or is not told of all at once.
 */
static void test_answers_in_a_standstill(void)
{
	unsigned int nr;

	for (nr = 1; nr <= NR_ANSWERS; nr += NR_ANSWERS - 1) {
		ask_questions(nr);
		on_owner(answer_in_a_standstill, NULL);
		expect_all_heard();
		ask_questions(nr);
		on_owner(answer_in_a_standstill, &question);
		expect_all_heard();
	}
}

static void be_stopped(void)
{
	pid_t stopped = getpid(), child;

	loop = loop_acquire();
	assert(loop);
	ask_questions(1);
	child = fork();
	assert(child >= 0);
	if (child) {
		expect_all_heard();
		_exit(0);
	}
	kill(stopped, SIGSTOP);
	sleep_ms(100);
	all_answer();
	sleep_ms(400);
	kill(stopped, SIGCONT);
	_exit(0);
}

/*
 * The threads of a stopped process wake up from epoll_wait() without being told of anything.  A
 * process of its own, so that no shell takes its terminal back from this one.
 */
static void test_answers_to_a_stopped_process(void)
{
	pid_t child = fork();
	int status;

	assert(child >= 0);
	if (!child)
		be_stopped();
	assert(waitpid(child, &status, 0) == child && status == 0);
}

/* --- batches --- */

static struct batch_end batch_end;
static unsigned int nr_batch_ends;

static void count_batch_end(struct batch_end *end)
{
	assert(end == &batch_end);
	nr_batch_ends++;
}

static void ask_for_batch_end(struct letter *letter)
{
	(void)letter;
	loop_at_batch_end(loop, &batch_end);
}

static void block_for_a_while(void *arg)
{
	(void)arg;
	sleep_ms(50);
}

static void *block_loop(void *arg)
{
	(void)arg;
	on_owner(block_for_a_while, NULL);
	return NULL;
}

/* Many letters that ask for the end of their batch, which comes once. */
static void test_batch_end(void)
{
	struct letter letters[100] = {0};
	pthread_t blocker;
	unsigned int i;

	list_init(&batch_end.node);
	batch_end.end = count_batch_end;
	assert(!pthread_create(&blocker, NULL, block_loop, NULL));
	sleep_ms(10);
	for (i = 0; i < 100; i++) {
		letters[i].deliver = ask_for_batch_end;
		loop_post(loop, &letters[i]);
	}
	pthread_join(blocker, NULL);
	on_owner(nothing, NULL);
	on_owner(nothing, NULL);
	assert(nr_batch_ends >= 1 && nr_batch_ends <= 2);
}

/* --- jobs --- */

#define NR_QUEUES  100
#define NR_HANGING 100
#define NR_JOBS	   20

struct work {
	struct job job;
	struct works *works;
	unsigned int number;
};

struct works {
	struct job_queue queue;
	struct work work[NR_JOBS];
	atomic_uint running;
	unsigned int nr_run;	   /* the worker's that runs */
	unsigned int nr_delivered; /* owner thread */
	unsigned int ms;
	sem_t *release; /* each job hangs until it is posted; NULL: none does */
	sem_t *tell;
};

static void work_run(struct job *job)
{
	struct work *work = container_of(job, struct work, job);

	assert(!loop_is_current(loop));
	assert(atomic_fetch_add(&work->works->running, 1) == 0);
	assert(work->number == work->works->nr_run++);
	sleep_ms(work->works->ms);
	if (work->works->release)
		sem_wait(work->works->release);
	assert(atomic_fetch_sub(&work->works->running, 1) == 1);
}

/* The last delivery frees the queue: nobody may touch it any more. */
static void work_done(struct letter *letter)
{
	struct work *work = container_of(letter, struct work, job.letter);
	struct works *works = work->works;

	assert(loop_is_current(loop));
	assert(work->number == works->nr_delivered++);
	if (works->nr_delivered == NR_JOBS) {
		sem_post(works->tell);
		free(works);
	}
}

static struct works *works_new(unsigned int ms, sem_t *release, sem_t *tell)
{
	struct works *works = calloc(1, sizeof(*works));
	unsigned int i;

	assert(works);
	works->ms = ms;
	works->release = release;
	works->tell = tell;
	job_queue_init(&works->queue);
	for (i = 0; i < NR_JOBS; i++) {
		works->work[i].works = works;
		works->work[i].number = i;
		job_init(&works->work[i].job, loop, work_run, work_done);
	}
	return works;
}

static void works_start(struct works *works)
{
	unsigned int i;

	for (i = 0; i < NR_JOBS; i++)
		job_start(&works->queue, &works->work[i].job);
}

/* More queues than workers: each in its own order, one job at a time, and all get their turn. */
static void test_jobs(void)
{
	sem_t tell;
	unsigned int i;

	sem_init(&tell, 0, 0);
	for (i = 0; i < NR_QUEUES; i++)
		works_start(works_new(i % 2, NULL, &tell));
	for (i = 0; i < NR_QUEUES; i++)
		sem_wait(&tell);
	sem_destroy(&tell);
}

/* As many queues hang as an adapter may have disks: one more does not notice. */
static void test_hanging_queues(void)
{
	sem_t release, hanging, quick;
	unsigned int i;

	sem_init(&release, 0, 0);
	sem_init(&hanging, 0, 0);
	sem_init(&quick, 0, 0);
	for (i = 0; i < NR_HANGING; i++)
		works_start(works_new(0, &release, &hanging));
	works_start(works_new(0, NULL, &quick));
	sem_wait(&quick);
	assert(sem_trywait(&hanging) != 0);
	for (i = 0; i < NR_HANGING * NR_JOBS; i++)
		sem_post(&release);
	for (i = 0; i < NR_HANGING; i++)
		sem_wait(&hanging);
	sem_destroy(&release);
	sem_destroy(&hanging);
	sem_destroy(&quick);
}

#define NR_IN_A_ROW 400

struct note {
	struct job job;
	unsigned int ms;
	pthread_t worker;
	sem_t done;
};

static void note_worker(struct job *job)
{
	struct note *note = container_of(job, struct note, job);

	note->worker = pthread_self();
	sleep_ms(note->ms);
}

static void note_done(struct letter *letter)
{
	sem_post(&container_of(letter, struct note, job.letter)->done);
}

/*
 * Many workers sleep, and one job comes after another: the worker that slept last does it, so that
 * those which are too many sleep until they end.  (The test before may not have settled at first.)
 */
static void test_too_many_workers(void)
{
	struct job_queue queue;
	struct note note = {0};
	unsigned int i, changes = 0;

	sem_init(&note.done, 0, 0);
	job_queue_init(&queue);
	job_init(&note.job, loop, note_worker, note_done);
	for (i = 0; i < NR_IN_A_ROW; i++) {
		pthread_t last = note.worker;

		job_start(&queue, &note.job);
		sem_wait(&note.done);
		changes += i && !pthread_equal(last, note.worker);
	}
	assert(changes < NR_IN_A_ROW / 2);
	sem_destroy(&note.done);
}

/* Many paths are checked at once, and none hangs: a few workers do it, one after another. */
static void test_few_workers(void)
{
	static struct job_queue queues[NR_QUEUES];
	static struct note notes[NR_QUEUES];
	unsigned int i, k, workers = 0;

	for (i = 0; i < NR_QUEUES; i++) {
		notes[i].ms = 1;
		sem_init(&notes[i].done, 0, 0);
		job_queue_init(&queues[i]);
		job_init(&notes[i].job, loop, note_worker, note_done);
	}
	for (i = 0; i < NR_QUEUES; i++)
		job_start(&queues[i], &notes[i].job);
	for (i = 0; i < NR_QUEUES; i++) {
		sem_wait(&notes[i].done);
		sem_destroy(&notes[i].done);
		for (k = 0; k < i; k++)
			if (pthread_equal(notes[k].worker, notes[i].worker))
				break;
		workers += k == i;
	}
	printf("%d jobs at once: %u workers\n", NR_QUEUES, workers);
	assert(workers < NR_QUEUES / 2);
}

int main(void)
{
	test_answers_to_a_stopped_process(); /* before there are threads */
	loop = loop_acquire();
	assert(loop && workers_ready());
	test_letters();
	test_letters_to_self();
	test_thread();
	test_spreading();
	test_timers();
	test_timer_off_in_its_batch();
	test_timer_put_off_in_its_batch();
	test_timer_again();
	test_unwatch_in_batch();
	test_edges();
	test_answers_in_a_standstill();
	test_batch_end();
	test_jobs();
	test_hanging_queues();
	test_too_many_workers();
	test_few_workers();
	loop_release(loop);
	return 0;
}
