<?php
// The shop in PHP, one request at a time: exception, type-error, chained, warning, oom, exit/N.
declare(strict_types=1);
ini_set('display_errors', 'stderr');
ini_set('memory_limit', '64M');

class OrderNotFound extends RuntimeException {}

function price_of(array $item): int { return $item['cents']; }

function total(array $cart): int { return array_sum(array_map('price_of', $cart)); }

function load_order(int $id): int {
    try {
        if ($id !== 1) throw new OutOfBoundsException("no key $id");
        return 300;
    } catch (OutOfBoundsException $error) {
        throw new OrderNotFound("order $id of jane@example.org not found", 404, $error);
    }
}

function handle_request(string $path): int { return load_order((int) basename($path)); }

function eat_memory(): void {
    for ($hoard = []; ; ) $hoard[] = str_repeat('x', 1 << 20);
}

function crash(string $how): void {
    [$how, $argument] = explode('/', $how . '/');
    switch ($how) {
        case 'exception': throw new LogicException('the cart of jane@example.org is closed');
        case 'type-error': total([['cents' => 1], ['cents' => null]]); break;
        case 'chained': handle_request('/orders/42'); break;
        case 'warning': file_get_contents('/nonexistent/catalogue'); break;
        case 'oom': eat_memory(); break;
        case 'exit': exit((int) ($argument === '' ? 1 : $argument));
        default: fwrite(STDERR, "no way to crash is called $how\n");
    }
}

function respond($client, string $status, string $body): void {
    $length = strlen($body);
    fwrite($client, "HTTP/1.1 $status\r\nContent-Type: text/plain\r\nContent-Length: $length\r\nConnection: close\r\n\r\n$body");
}

function answer($client, string $path, string $query): void {
    if (str_starts_with($path, '/crash/')) {
        crash(substr($path, 7));
        respond($client, '200 OK', "still alive\n");
    } elseif (str_starts_with($path, '/orders/')) {
        respond($client, '200 OK', json_encode(['total_cents' => total([['cents' => 321]])]));
    } elseif ($path === '/slow') {
        parse_str($query, $values);
        usleep(1000 * min((int) ($values['ms'] ?? 1000), 60_000));
        respond($client, '200 OK', "slow\n");
    } elseif ($path === '/env') {
        $names = ['PORT', 'WEBSITE_INSTANCE_ID'];
        respond($client, '200 OK', json_encode(array_combine($names, array_map('getenv', $names))));
    } elseif ($path === '/') {
        respond($client, '200 OK', "a shop that crashes on request\n");
    } else {
        respond($client, '404 Not Found', "no such page\n");
    }
}

$listener = stream_socket_server('tcp://127.0.0.1:' . (getenv('PORT') ?: '8000'));
if ($listener === false) exit(2);
echo 'the shop listens on ', stream_socket_get_name($listener, false), "\n";
if (getenv('LAB_CRASH') !== false) crash(getenv('LAB_CRASH'));
while (true) {
    $client = @stream_socket_accept($listener, 60.0);
    if ($client === false) continue;
    $words = explode(' ', (string) fgets($client));
    while (trim((string) fgets($client)) !== '');
    [$path, $query] = explode('?', ($words[1] ?? '/') . '?');
    answer($client, $path, $query);
    fclose($client);
}
