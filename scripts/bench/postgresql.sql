create table customers(id bigint primary key, email text not null, name text not null, address text,
    created timestamptz not null, balance numeric(12,2));
create table orders(id bigint primary key, customer_id bigint not null, status text not null, total numeric(12,2),
    placed timestamptz not null, note text);
create table events(id bigint primary key, order_id bigint, kind text not null, payload jsonb not null,
    at timestamptz not null);

insert into customers
select i, 'user'||i||'@example'||(i%97)||'.org', md5(i::text), 'Street '||(i%5000)||', '||md5((i*7)::text),
    timestamptz '2020-01-01'+i*interval '3 min', (i*37%100000)/100.0
from generate_series(1, :customers) i;

insert into orders
select i, 1+(i*7919::bigint)%:customers, (array['new','paid','shipped','done','cancelled'])[1+i%5],
    (i*91%1000000)/100.0, timestamptz '2021-01-01'+i*interval '20 s',
    case when i%3=0 then 'note '||md5(i::text)||' lorem ipsum dolor sit amet '||md5((i*3)::text)
        else 'standard delivery, leave at the door '||(i%1000) end
from generate_series(1, :orders) i;

insert into events
select i, 1+(i*104729::bigint)%:orders, (array['view','click','cart','pay'])[1+i%4],
    jsonb_build_object('ip', '10.'||(i%256)||'.'||(i*7%256)||'.'||(i*13%256), 'ua', 'Mozilla/5.0 (X11; Linux x86_64)',
        'session', md5((i/10)::text), 'value', i%10007, 'tags', array['a'||(i%17),'b'||(i%5)]),
    timestamptz '2022-01-01'+i*interval '7 s'
from generate_series(1, :events) i;

create index on customers(email);
create index on orders(customer_id);
create index on orders(placed);
create index on events(order_id);
create index on events(kind, at);
alter table orders add foreign key(customer_id) references customers;
alter table events add foreign key(order_id) references orders;
vacuum analyze;
checkpoint;
